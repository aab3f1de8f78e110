"""A build as stages of a runner: an environment is made, the steps run in it without root, it is sealed."""

from collections.abc import Iterable

from app.domain.runs import BuildSpec, RunSpec
from app.launchers.local.environments import Environments
from app.launchers.local.plans import Plan

_FILES = {
    "requirements.txt": 0o644,
    "polyaxon_requirements.txt": 0o644,
    "setup.sh": 0o755,
    "polyaxon_setup.sh": 0o755,
}


def environment_name(build: BuildSpec, run: RunSpec) -> str:
    """A folder of its own for each attempt: what a hash had before may be in use. Short, since scripts begin
    with its path."""
    return f"{build.hash[:16]}-{run.uuid[:8]}-{run.attempt}"


def stages(
    build: BuildSpec, plan: Plan, environments: Environments, archive: str | None
) -> list[dict[str, object]]:
    """What the runner does, one after another; the first that fails ends it.

    Raises LaunchRefused, LaunchDelayed where there is no plain environment to begin with.
    """
    name = plan.environment or ""
    path = str(environments.path(name))
    return [
        {
            "kind": "copy",
            "name": "making the environment",
            "user": "runner",
            "source": str(environments.path(environments.base())),
            "path": path,
            "begins": True,
        },
        *_unpack(archive),
        *_steps(build.steps),
        {
            "kind": "seal",
            "name": "closing the environment",
            "user": "runner",
            "path": path,
            "pointer": str(environments.pointer(build.hash)),
            "record": {"environment": name, "python": environments.python},
        },
    ]


def _unpack(archive: str | None) -> Iterable[dict[str, object]]:
    if archive is not None:
        yield {"kind": "unpack", "name": "code", "archive": archive, "only": _FILES}


def _steps(steps: tuple[str, ...]) -> Iterable[dict[str, object]]:
    for number, step in enumerate(steps, 1):
        yield {
            "kind": "command",
            "name": f"step {number} of {len(steps)} ({_short(step)})",
            "title": f"Step {number}/{len(steps)}: {step}",
            "command": step,
        }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
