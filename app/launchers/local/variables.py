"""The variables of a job: its own, those that the settings name, the spec's; nothing of the service's."""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.domain.lifecycle import Role
from app.domain.runs import TENSORBOARD_SECRET, JobSpec, RunKind, RunSpec
from app.domain.spec.variables import job_variables
from app.launchers.base import LaunchRefused
from app.launchers.local.layout import Layout
from app.launchers.local.options import LocalOptions
from app.launchers.local.plans import Plan
from app.launchers.local.ports import HOST
from app.launchers.local.runner.processes import MARK

SECRETS = ("POLYAXON_SECRET_EPHEMERAL_TOKEN", "POLYAXON_SECRET_USER_TOKEN")

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EXPORT = re.compile(r"^\s*export\s+")
_LONGEST = 131_071  # bytes of one argument or variable that Linux passes on (MAX_ARG_STRLEN)


def own_variables(plan: Plan, home: Path, temporary: Path, environment: Path) -> dict[str, str]:
    """What every process has: where its programs, home and temporary files are, and who it is."""
    name = f"job{plan.uid}" if plan.uid is not None else _user_name()
    return {
        "PATH": f"{environment / 'bin'}:{_PATH}",
        "VIRTUAL_ENV": str(environment),
        "HOME": str(home),
        "USER": name,
        "LOGNAME": name,
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }


def named_variables(names: tuple[str, ...], files: Mapping[str, str], kind: str) -> dict[str, str]:
    """The `KEY=VALUE` lines of the files that the settings give these names; a file that is written for a
    shell has `export` before them. Raises LaunchRefused."""
    variables: dict[str, str] = {}
    for name in names:
        path = files.get(name)
        if path is None:
            raise LaunchRefused(f"there is no {kind} {name!r} in the settings")
        try:
            text = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise LaunchRefused(f"the file of the {kind} {name!r} can't be read") from error
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            key = _EXPORT.sub("", key).strip()
            if equals and key and not key.startswith("#"):
                variables[key] = value
    return variables


def gpu_variables(gpus: tuple[str, ...]) -> dict[str, str]:
    """A job sees its own devices alone; without any, none."""
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "NVIDIA_VISIBLE_DEVICES": ",".join(gpus) or "none",
    }


def check_sizes(environment: Mapping[str, str], command: str) -> None:
    """Refuse what Linux would not start a program with. Raises LaunchRefused."""
    for key, value in environment.items():
        if len(key) + 1 + len(value.encode()) > _LONGEST:
            raise LaunchRefused(f"the variable {key} is too long: a process takes at most 128 KiB of one")
    if len(command.encode()) > _LONGEST:
        raise LaunchRefused("the command is too long: a process takes at most 128 KiB of one")


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a job finds its outputs, the data volumes by name, and others' outputs."""

    outputs: str | None
    data: Mapping[str, str]
    reads: tuple[str, ...]


def of_step(
    own: Mapping[str, str], run: RunSpec, plan: Plan, options: LocalOptions, layout: Layout
) -> dict[str, str]:
    """A build step's. Pip's cache is kept for a person, and never shared between experiments' users: what
    one step puts there another one would install."""
    cache = {} if plan.uid is not None else {"PIP_CACHE_DIR": str(layout.cache / "pip")}
    pip = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    mark = {MARK: plan.jobs[0].ref.name}
    return {**own, **pip, **cache, **options.step_env, **dict(run.env_vars), **mark}


def of_job(
    own: Mapping[str, str],
    run: RunSpec,
    plan: Plan,
    job: JobSpec,
    paths: Paths,
    options: LocalOptions,
    named: Mapping[str, str],
) -> dict[str, str]:
    """A job's: the spec's win over its own, these over those that the settings name."""
    planned = plan.job(job.ref)
    own = {**named, **own, **gpu_variables(planned.gpus)}
    last = {"BUNSEN_PORT": str(planned.port), MARK: job.ref.name}
    if run.kind is not RunKind.EXPERIMENT:
        secret = {} if run.token is None else {TENSORBOARD_SECRET: run.token}
        return {**own, **run.variables, **dict(run.env_vars), **secret, **last}
    given = job_variables(
        run,
        job,
        addresses=_addresses(plan),
        outputs_path=paths.outputs or "",
        data_paths=paths.data,
        refs_outputs_paths=paths.reads,
        api_url=options.api_url,
        own=own,
    )
    return {**given, **last}


def _addresses(plan: Plan) -> dict[Role, list[str]]:
    """Each role's `host:port`, in the order of the indices."""
    addresses: dict[Role, list[str]] = {}
    for job in sorted(plan.jobs, key=lambda job: job.index):
        addresses.setdefault(Role(job.role), []).append(f"{HOST}:{job.port}")
    return addresses
