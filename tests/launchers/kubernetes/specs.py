"""Runs as the reconciler gives them to a launcher, small."""

import secrets
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.domain.lifecycle import Role
from app.domain.runs import Amounts, BuildSpec, JobRef, JobSpec, RunKind, RunSpec
from app.launchers.kubernetes.options import KubernetesOptions
from app.volumes import Volume

REGISTRY = "registry.bunsen.test:5000"
REGISTRY_URL = "http://127.0.0.1:5000"  # the same from here
BUSYBOX = f"{REGISTRY}/busybox:1"
PYTHON = f"{REGISTRY}/python:3.11"
BUILDAH = f"{REGISTRY}/buildah:1"


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


def builds_of(folder: Path, namespace: str, **more: Any) -> KubernetesOptions:
    """Options with builds, in a repository of the test's own."""
    given: dict[str, Any] = {
        "namespace": namespace,
        "builder_image": BUILDAH,
        "registry": f"{REGISTRY}/{namespace}",
        "registry_url": REGISTRY_URL,
        "insecure_registries": (REGISTRY,),
        "step_env": {"SECRET": "hidden"},
        "pull_grace": 6.0,
        "build_requests": Amounts(0.05, 64 * 1024**2),
    }
    return options_of(folder, **given | more)


def build_of(*steps: str, **more: Any) -> RunSpec:
    """A build's run, with a hash that no other has."""
    job = job_of()
    name = job.ref.uuid
    given: dict[str, Any] = {
        "kind": RunKind.BUILD,
        "principal": name,
        "outputs": None,
        "build": BuildSpec(secrets.token_hex(32), BUSYBOX, steps),
        "labels": {"project": "ada.mnist", "build": "7"},
    }
    return replace(run_of("", job), uuid=name, **given | more)
