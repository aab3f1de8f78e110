"""The whole service over the real cluster, in a namespace of its own; one for all tests of a module."""

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.kubernetes.kit import kit_here
from tests.faults.kubernetes.kube import Namespace
from tests.faults.kubernetes.pods import OnPods
from tests.faults.kubernetes.second import NODE, Second
from tests.launchers.kubernetes.conftest import SHARED, no_cluster
from tests.launchers.kubernetes.specs import BUSYBOX
from tests.supervisor.service import Up, data_folder

HOST = "host.bunsen.test"  # this machine, as pods see it
GRACE = 8.0  # seconds: the settings' pull grace, shortened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "namespace" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="module")
def kubeconfig() -> Path:
    if not os.environ.get("KUBECONFIG"):
        no_cluster("no cluster: KUBECONFIG names none")
    return Path(os.environ["KUBECONFIG"])


@pytest.fixture(scope="module")
def namespace(kubeconfig: Path) -> Iterator[Namespace]:
    namespace = Namespace(kubeconfig, f"test-{secrets.token_hex(5)}")
    try:
        namespace.api.get("/version").raise_for_status()
    except httpx.HTTPError as error:
        no_cluster(f"the cluster that KUBECONFIG names does not answer: {error}")
    namespace.open()
    yield namespace
    namespace.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def environment(namespace: Namespace) -> Iterator[dict[str, str]]:
    """The settings of the service, all as variables."""
    folder = SHARED / secrets.token_hex(5)
    (folder / "outputs").mkdir(parents=True)
    (folder / "nowhere").mkdir()
    yield {
        "BUNSEN_LAUNCHER": "kubernetes",
        "BUNSEN_HOST": "0.0.0.0",
        "BUNSEN_NAMESPACE": namespace.name,
        "BUNSEN_INSTALLATION": "ours",
        "BUNSEN_OUTPUTS_VOLUME": f"hostPath:{folder}/outputs",
        "BUNSEN_DEFAULT_IMAGE": BUSYBOX,
        "BUNSEN_HELPER_IMAGE": BUSYBOX,
        "BUNSEN_SECRETS": '{"nowhere": "nowhere"}',
        # The first named is every experiment's default.
        "BUNSEN_OUTPUTS_VOLUMES": json.dumps(
            {"usual": f"hostPath:{folder}/outputs", "nowhere": f"pvc:nowhere:{folder}/nowhere"}
        ),
        "BUNSEN_PULL_GRACE": f"{GRACE:g}",
        "BUNSEN_GRACE": "3",
        "BUNSEN_RETRY_BACKOFF": "0.2",
        "BUNSEN_TTL": "3600",
    }
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def up(environment: dict[str, str]) -> Iterator[Up]:
    with data_folder() as data:
        port = free_port()
        url = {"BUNSEN_ADVERTISE_URL": f"http://{HOST}:{port}"}
        up = Up(data, environment=environment | url)
        up.port = port
        up.start()
        try:
            yield up.wait_ready()
        finally:
            up.stop()


@pytest.fixture(scope="module")
def pods(up: Up, namespace: Namespace) -> Iterator[OnPods]:
    pods = OnPods(up, namespace).open()
    yield pods
    pods.close()
    crowded = {job: most for job, most in namespace.most.items() if most > 1}
    assert not crowded, f"more than one live pod at once: {crowded}"


@pytest.fixture(
    scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["told", "full"]
)
def second(request: pytest.FixtureRequest, namespace: Namespace, pods: OnPods) -> Iterator[Second]:
    """The second node, for one test module at a time."""
    kit = kit_here()
    with kit.alone(NODE):
        second = Second(kit, namespace, shortened=request.param)
        try:
            yield second
        finally:
            second.clear()
