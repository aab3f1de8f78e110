"""The variables of a job's container: plain ones by value, the token by reference to its Secret."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.domain.lifecycle import Role
from app.domain.runs import TENSORBOARD_SECRET, JobSpec, RunKind, RunSpec
from app.domain.spec.variables import job_variables
from app.launchers.base import LaunchRefused
from app.launchers.kubernetes import names, volumes
from app.launchers.kubernetes.options import KubernetesOptions

Json = dict[str, Any]

PORT = 2222
SERVER_PORT = 6006  # of a TensorBoard
TOKENS = {
    RunKind.EXPERIMENT: ("POLYAXON_SECRET_EPHEMERAL_TOKEN", "POLYAXON_SECRET_USER_TOKEN"),
    RunKind.BUILD: (),
    RunKind.TENSORBOARD: (TENSORBOARD_SECRET,),
}
_USER = "bunsen"
_LONGEST = 131_071  # bytes of one argument or variable that Linux passes on (MAX_ARG_STRLEN)


def host_of(job: JobSpec) -> str:
    """A job's host name, below its run's headless service."""
    return f"{job.role.value}-{job.index}"


def addresses_of(run: RunSpec) -> dict[Role, list[str]]:
    """Each role's `host:port`, in the order of the indices. A single job has no service, only itself."""
    service = f".{names.attempt_name(run)}" if len(run.jobs) > 1 else ""
    addresses: dict[Role, list[str]] = {}
    for job in sorted(run.jobs, key=lambda job: job.index):
        addresses.setdefault(Role(job.role), []).append(f"{host_of(job)}{service}:{PORT}")
    return addresses


def variables_of(
    run: RunSpec, job: JobSpec, mounts: volumes.Mounts, options: KubernetesOptions
) -> dict[str, str]:
    """All plain variables of a job. Raises LaunchRefused for one that no process could be started with."""
    own = {
        "HOME": volumes.HOME,
        "USER": _USER,
        "LOGNAME": _USER,
        "TMPDIR": volumes.TMP,
    }
    if run.kind is RunKind.EXPERIMENT:
        found = job_variables(
            replace(run, token=None),
            job,
            addresses=addresses_of(run),
            outputs_path=mounts.outputs_path,
            data_paths=mounts.data_paths,
            refs_outputs_paths=mounts.reads_paths,
            api_url=options.api_url,
            own=own,
        )
    else:
        found = {"PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8", **own, **run.variables, **dict(run.env_vars)}
    if run.kind is RunKind.TENSORBOARD:
        found |= {"BUNSEN_TENSORBOARD_HOST": "0.0.0.0", "BUNSEN_PORT": str(SERVER_PORT)}  # noqa: S104 - its pod
    for key, value in found.items():
        if len(key) + 1 + len(value.encode()) > _LONGEST:
            raise LaunchRefused(f"the variable {key} is too long: a process takes at most 128 KiB of one")
    return found


def environment(plain: Mapping[str, str], run: RunSpec) -> list[Json]:
    """A container's `env`. The spec's own variables win over the token's."""
    found: list[Json] = [{"name": key, "value": literal(value)} for key, value in plain.items()]
    if run.token is not None:
        found += [token_variable(key, run) for key in TOKENS[run.kind] if key not in plain]
    return found


def token_variable(key: str, run: RunSpec) -> Json:
    """The run's token under that name."""
    reference = {"name": names.attempt_name(run), "key": names.TOKEN_KEY}
    return {"name": key, "valueFrom": {"secretKeyRef": reference}}


def named_sources(run: RunSpec, options: KubernetesOptions) -> list[Json]:
    """A container's `envFrom`: the secrets and configmaps that the spec names. Raises LaunchRefused."""
    found: list[Json] = []
    for kind, key, wanted, known in (
        ("configmap", "configMapRef", run.configmap_refs, options.configmaps),
        ("secret", "secretRef", run.secret_refs, options.secrets),
    ):
        for name in wanted:
            if name not in known:
                raise LaunchRefused(f"there is no {kind} {name!r} in the settings")
            found.append({key: {"name": known[name] or name}})
    return found


def literal(text: str) -> str:
    """A text that Kubernetes takes as it stands: it would expand `$(NAME)`, and read `$$` as `$`."""
    return text.replace("$", "$$")


def check_command(command: str) -> None:
    """Refuse what Linux would not start a program with. Raises LaunchRefused."""
    if len(command.encode()) > _LONGEST:
        raise LaunchRefused("the command is too long: a process takes at most 128 KiB of one")
