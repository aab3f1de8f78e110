"""Runs as the reconciler gives them to a launcher, small."""

import uuid
from pathlib import Path
from typing import Any

from app.domain.lifecycle import Role
from app.domain.runs import JobRef, JobSpec, RunKind, RunSpec
from app.launchers.kubernetes.options import KubernetesOptions
from app.volumes import Volume

BUSYBOX = "registry.bunsen.test:5000/busybox:1"
PYTHON = "registry.bunsen.test:5000/python:3.11"


def options_of(folder: Path, **more: Any) -> KubernetesOptions:
    """A launcher's options, with all that it keeps below `folder`."""
    outputs = str(folder / "outputs")
    given: dict[str, Any] = {
        "data": folder,
        "installation": "here",
        "api_url": "http://service.test:8000",
        "outputs": Volume("hostPath", outputs, outputs),
        "default_image": PYTHON,
        "helper_image": BUSYBOX,
    }
    return KubernetesOptions(**given | more)


def job_of(role: Role = Role.MASTER, index: int = 0, attempt: int = 1, **more: Any) -> JobSpec:
    return JobSpec(JobRef(uuid.uuid4().hex, attempt), role, index, **more)


def run_of(command: str, *jobs: JobSpec, **more: Any) -> RunSpec:
    """An experiment's run with outputs of its own; one master unless jobs are given."""
    name = uuid.uuid4().hex
    given: dict[str, Any] = {
        "uuid": name,
        "kind": RunKind.EXPERIMENT,
        "attempt": 1,
        "jobs": jobs or (job_of(),),
        "command": command,
        "principal": name,
        "outputs": name,
        "grace": 5.0,
        "image": BUSYBOX,
        "labels": {"project": "ada.mnist", "experiment": "7"},
    }
    return RunSpec(**given | more)
