"""The variables in a job, as trackers and frameworks read them (`spec.md`, variables in a job)."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from app.domain.lifecycle import Role
from app.domain.runs import JobSpec, RunSpec

Addresses = Mapping[Role, Sequence[str]]

# The roles that a framework's cluster always lists, also those without a job.
_ROLES = {
    None: (Role.MASTER,),
    "tensorflow": (Role.MASTER, Role.WORKER, Role.PS),
    "pytorch": (Role.MASTER, Role.WORKER),
    "mxnet": (Role.MASTER, Role.WORKER, Role.SERVER),
    "horovod": (Role.MASTER, Role.WORKER),
}
_MXNET_ROLES = {Role.MASTER: "scheduler", Role.WORKER: "worker", Role.SERVER: "server"}


def run_variables(
    *,
    declarations: Mapping[str, object] | None,
    log_level: str,
    project_name: str,
    project_uuid: str,
    experiment_name: str,
    experiment_uuid: str,
) -> dict[str, str]:
    """What all jobs of an experiment's run share, known before a launcher has it (`RunSpec.variables`).

    The names are unique names: `user.project`, `user.project.7`; the uuids 32 hex digits.
    """
    info = {
        "app": "polyaxon-experiment",
        "project_name": project_name,
        "experiment_group_name": None,
        "experiment_name": experiment_name,
        "project_uuid": project_uuid,
        "experiment_uuid": experiment_uuid,
    }
    return {
        "POLYAXON_DECLARATIONS": json.dumps(declarations),
        "POLYAXON_EXPERIMENT_INFO": json.dumps(info),
        "POLYAXON_LOG_LEVEL": log_level,
    }


def job_variables(
    run: RunSpec,
    job: JobSpec,
    *,
    addresses: Addresses,
    outputs_path: str,
    data_paths: Mapping[str, str],
    refs_outputs_paths: Sequence[str],
    api_url: str,
    own: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """All variables of one job of an experiment.

    `addresses` gives each role's `host:port` by index, `api_url` is how the job reaches the service
    (`http://host:port`), `own` is what the launcher adds: PATH, HOME, USER, LOGNAME, TMPDIR, secrets,
    configmaps, its GPUs. Later ones win: the run's, the job's, `own`, and above all the spec's `env_vars`.
    """
    cluster = {
        role.value: list(addresses.get(role, ()))
        for role in (
            *_ROLES[run.framework],
            *(role for role in addresses if role not in _ROLES[run.framework]),
        )
    }
    task = {"type": job.role.value, "index": job.index}
    variables = {
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        **run.variables,
        "POLYAXON_TASK_INFO": json.dumps(task),
        "POLYAXON_CLUSTER": json.dumps(cluster),
        "POLYAXON_RUN_OUTPUTS_PATH": outputs_path,
        "POLYAXON_RUN_DATA_PATHS": json.dumps(dict(data_paths)),
        "POLYAXON_REFS_OUTPUTS_PATHS": json.dumps({"experiments": list(refs_outputs_paths)}),
        **_service_variables(api_url, run.token),
    }
    if not job.resources.limits.gpu:
        variables["NVIDIA_VISIBLE_DEVICES"] = "none"
    if run.framework == "tensorflow":
        variables["TF_CONFIG"] = json.dumps(
            {"cluster": cluster, "task": task, "model_dir": outputs_path, "environment": "cloud"}
        )
    elif run.framework == "pytorch":
        variables |= _pytorch_variables(job, addresses)
    elif run.framework == "mxnet":
        variables |= _mxnet_variables(job, addresses)
    return {**variables, **(own or {}), **dict(run.env_vars)}


def _service_variables(api_url: str, token: str | None) -> dict[str, str]:
    """Where the service is, and what opens it."""
    url = urlsplit(api_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    host = url.hostname or ""
    name = f"[{host}]" if ":" in host else host
    variables = {
        "POLYAXON_API_VERSION": "v1",
        "POLYAXON_IN_CLUSTER": "true",
        "POLYAXON_API_HTTP_HOST": f"{url.scheme}://{name}:{port}",
        "POLYAXON_API_WS_HOST": f"{'wss' if url.scheme == 'https' else 'ws'}://{name}:{port}",
        "POLYAXON_API_HOST": host,
        "POLYAXON_HTTP_PORT": str(port),
        "POLYAXON_INTERNAL_HEADER": "X-POLYAXON-INTERNAL",
        "POLYAXON_INTERNAL_HEADER_SERVICE": "runner",
    }
    if token is not None:
        variables |= {"POLYAXON_SECRET_EPHEMERAL_TOKEN": token, "POLYAXON_SECRET_USER_TOKEN": token}
    return variables


def _pytorch_variables(job: JobSpec, addresses: Addresses) -> dict[str, str]:
    host, port = _master(addresses)
    return {
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "WORLD_SIZE": str(len(addresses.get(Role.WORKER, ())) + 1),
        "RANK": str(0 if job.role is Role.MASTER else job.index + 1),
        "LOCAL_RANK": "0",
    }


def _mxnet_variables(job: JobSpec, addresses: Addresses) -> dict[str, str]:
    host, port = _master(addresses)
    variables = {
        "DMLC_NUM_WORKER": str(len(addresses.get(Role.WORKER, ()))),
        "DMLC_NUM_SERVER": str(len(addresses.get(Role.SERVER, ()))),
        "DMLC_PS_ROOT_URI": host,
        "DMLC_PS_ROOT_PORT": port,
        "DMLC_ROLE": _MXNET_ROLES[job.role],
    }
    if job.role is Role.WORKER:
        variables["DMLC_WORKER_ID"] = str(job.index)
    if job.role is Role.SERVER:
        variables["DMLC_SERVER_ID"] = str(job.index)
    return variables


def _master(addresses: Addresses) -> tuple[str, str]:
    host, _, port = addresses[Role.MASTER][0].rpartition(":")
    return host, port
