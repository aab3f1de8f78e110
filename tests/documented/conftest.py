"""The service that the documented calls are made to, as its users have it: a URL and a token."""

import io
import tarfile
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.documented.service import Experiment, Service
from tests.supervisor.service import Up, data_folder

MODEL = """
import os, pathlib
print("training", flush=True)
pathlib.Path(os.environ["POLYAXON_RUN_OUTPUTS_PATH"], "model.txt").write_text("weights")
print("done", flush=True)
"""
CONFIG = {
    "version": 1,
    "kind": "experiment",
    "build": {
        "image": "tensorflow/tensorflow:1.4.1-py3",
        "build_steps": ["echo 'pip3 install --no-cache-dir -U polyaxon-helper'"],
    },
    "run": {"cmd": "python3 model.py"},
}
METRICS = [
    {"loss": 0.050211381167173386, "precision": 0.9986705183982849, "accuracy": 0.982699990272522},
    {"precision": 0.9, "accuracy": 0.85},
]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A whole service. Whoever tries another launcher gives its URL and a token of `root` here."""
    with data_folder() as path:
        up = Up(path).start()
        try:
            up.wait_ready()
            yield Service(up.url, up.token)
        finally:
            up.stop()


@pytest.fixture(scope="module")
def project(service: Service) -> str:
    """The document's project, with its code."""
    assert service.http.post("/projects", json={"name": "quick-start"}).status_code == 201
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("model.py")
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
