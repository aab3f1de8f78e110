"""The service that the documented calls are made to, as its users have it: a URL and a token."""

import io
import secrets
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.documented.service import Experiment, Service
from tests.faults.kubernetes.conftest import HOST, free_port, kubeconfig, namespace
from tests.faults.kubernetes.kube import Namespace
from tests.launchers.kubernetes.conftest import SHARED
from tests.launchers.kubernetes.images import tensorboard_image
from tests.launchers.kubernetes.specs import BUILDAH, BUSYBOX, REGISTRY, REGISTRY_URL
from tests.supervisor.service import Up, data_folder

__all__ = ["kubeconfig", "namespace"]

MODEL = """
echo training
printf weights >"$POLYAXON_RUN_OUTPUTS_PATH/model.txt"
echo done
"""
# The document's, with an image that clusters for tests have, and what runs in it.
CONFIG = {
    "version": 1,
    "kind": "experiment",
    "build": {
        "image": BUSYBOX,
        "build_steps": ["echo 'pip3 install --no-cache-dir -U polyaxon-helper'"],
    },
    "run": {"cmd": "sh model.sh"},
}
METRICS = [
    {"loss": 0.050211381167173386, "precision": 0.9986705183982849, "accuracy": 0.982699990272522},
    {"precision": 0.9, "accuracy": 0.85},
]


@pytest.fixture(scope="module", params=["local", pytest.param("kubernetes", marks=pytest.mark.cluster)])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """A whole service, with each launcher."""
    if request.param == "local":
        with serving({}) as service:
            yield service
        return
    namespace: Namespace = request.getfixturevalue("namespace")
    folder = SHARED / secrets.token_hex(5)
    (folder / "outputs").mkdir(parents=True)
    settings = {
        "BUNSEN_LAUNCHER": "kubernetes",
        "BUNSEN_HOST": "0.0.0.0",
        "BUNSEN_NAMESPACE": namespace.name,
        "BUNSEN_OUTPUTS_VOLUME": f"hostPath:{folder}/outputs",
        "BUNSEN_HELPER_IMAGE": BUSYBOX,
        "BUNSEN_TENSORBOARD_IMAGE": tensorboard_image(SHARED),
        "BUNSEN_BUILDER_IMAGE": BUILDAH,
        "BUNSEN_REGISTRY": f"{REGISTRY}/{namespace.name}",
        "BUNSEN_REGISTRY_URL": REGISTRY_URL,
        "BUNSEN_INSECURE_REGISTRIES": REGISTRY,
    }
    try:
        with serving(settings) as service:
            yield service
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(settings: dict[str, str]) -> Iterator[Service]:
    with data_folder() as path:
        port = free_port()
        up = Up(path, environment=settings | {"BUNSEN_ADVERTISE_URL": f"http://{HOST}:{port}"})
        up.port = port
        try:
            up.start().wait_ready()
            yield Service(up.url, up.token)
        finally:
            up.stop()


@pytest.fixture(scope="module")
def project(service: Service) -> str:
    """The document's project, with its code."""
    assert service.http.post("/projects", json={"name": "quick-start"}).status_code == 201
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("model.sh")
        entry.size = len(MODEL)
        archive.addfile(entry, io.BytesIO(MODEL.encode()))
    upload = {"repo": ("repo.tar.gz", packed.getvalue())}
    assert service.http.put("/root/quick-start/repo/upload", files=upload).status_code == 200
    return "quick-start"


@pytest.fixture(scope="module")
def finished(service: Service, project: str) -> Experiment:
    """The document's experiment, run to its end."""
    experiment = service.create(project, config=CONFIG)
    deadline = time.monotonic() + 90
    while (found := experiment.get())["finished_at"] is None:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found["last_status"] == "succeeded", experiment.statuses()
    for values in METRICS:
        assert experiment.post("metrics", {"values": values}).status_code == 201
    return experiment


@pytest.fixture
def tracked(service: Service, project: str) -> Iterator[Experiment]:
    """An experiment that nothing runs of, for calls that change it."""
    experiment = service.create(project)
    yield experiment
    httpx.delete(experiment.url, headers=service.headers)
