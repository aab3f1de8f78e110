"""How everything of an installation in a namespace is named and marked."""

from collections.abc import Mapping
from typing import Any

from app.domain.runs import JobRef, RunKind, RunSpec

MANAGER = "bunsen"
FINALIZER = "bunsen/kept"  # on each job's pod, until its end and its last line are stored

NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
RUN = "bunsen/run"  # the experiment's, build's or TensorBoard's uuid
JOB, ATTEMPT, ROLE, INDEX = "bunsen/job", "bunsen/attempt", "bunsen/role", "bunsen/index"

VERDICT = "bunsen/verdict"  # condition: why the service ended this pod, as JSON in its message
TIMEOUT = "bunsen/timeout"  # annotation: seconds of running
END = "bunsen/end"  # annotation: the line that its wrapper prints at last

COMPONENTS = {RunKind.EXPERIMENT: "job", RunKind.BUILD: "build", RunKind.TENSORBOARD: "tensorboard"}
HELPER, PROOF = "helper", "proof"

MAIN = "main"  # the container that runs the command
TOKEN_KEY = "token"  # noqa: S105 - the key's name


def labels(installation: str, component: str) -> dict[str, str]:
    """What marks an object as this installation's."""
    return {NAME: MANAGER, MANAGED_BY: MANAGER, INSTANCE: installation, COMPONENT: component}


def selector(installation: str, **more: str) -> str:
    """A label selector of everything that is this installation's."""
    pairs = {MANAGED_BY: MANAGER, INSTANCE: installation} | more
    return ",".join(f"{key}={value}" for key, value in pairs.items())


def owner_name(run_uuid: str) -> str:
    """The small object that owns all that a run has."""
    return f"bunsen-{run_uuid}"


def attempt_name(run: RunSpec) -> str:
    """The Secret and the Service of one attempt of a run. A service's name begins with a letter."""
    return objects_name(run.uuid, run.attempt)


def objects_name(run_uuid: str, attempt: int | str) -> str:
    """As `attempt_name`, of what a pod's labels say."""
    return f"bunsen-{run_uuid}-{attempt}"


def ref_of(pod: Mapping[str, Any]) -> JobRef | None:
    """The job attempt whose pod this is; None for a helper's."""
    marks = pod["metadata"].get("labels") or {}
    job, attempt = marks.get(JOB), marks.get(ATTEMPT)
    if not job or not attempt or not attempt.isdecimal():
        return None
    return JobRef(job, int(attempt))


def is_build(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is a build's: its message is then its own, not the end of its log."""
    return (pod["metadata"].get("labels") or {}).get(COMPONENT) == COMPONENTS[RunKind.BUILD]


def read_ref(name: str) -> JobRef | None:
    """The job attempt of a pod's name (`JobRef.name`); None for another's."""
    uuid, dash, attempt = name.rpartition("-")
    return JobRef(uuid, int(attempt)) if dash and len(uuid) == 32 and attempt.isdecimal() else None
