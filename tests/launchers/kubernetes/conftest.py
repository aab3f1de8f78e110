"""A real cluster, a namespace for each test, and a launcher in it.

Whatever uses one of these fixtures is marked `cluster`.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.launchers.base import LauncherUnusable
from app.launchers.kubernetes import proof
from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway, connect
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.launchers.kubernetes.specs import options_of

SHARED = Path("/var/lib/bunsen-tests")  # pods see it: a host path of the node, which is this machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


def no_cluster(why: str) -> None:
    """Skip, unless a cluster has to be there."""
    if os.environ.get("REQUIRE_CLUSTER") == "1":
        pytest.fail(f"REQUIRE_CLUSTER=1, but {why}")
    pytest.skip(why)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """The cluster that KUBECONFIG names."""
    if not os.environ.get("KUBECONFIG"):
        no_cluster("no cluster: KUBECONFIG names none")
    try:
        cluster = await connect()
    except LauncherUnusable as error:
        no_cluster(str(error))
        raise
    try:
        await cluster.get("/version")
    except (ClusterAway, ApiRefused) as error:
        await cluster.close()
        no_cluster(f"the cluster that KUBECONFIG names does not answer: {error}")
    yield cluster
    await cluster.close()


@pytest.fixture
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace of the test's own, deleted with all that is in it."""
    name = f"test-{secrets.token_hex(5)}"
    await cluster.create("/api/v1/namespaces", {"metadata": {"name": name}})
    async with asyncio.timeout(20):  # no pod is taken before its account is there
        while True:
            with contextlib.suppress(ApiRefused):
                await cluster.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
                break
            await asyncio.sleep(0.05)
    yield name
    pods, _ = await cluster.list(f"/api/v1/namespaces/{name}/pods")
    for pod in pods:
        with contextlib.suppress(ApiRefused):
            path = f"/api/v1/namespaces/{name}/pods/{pod['metadata']['name']}"
            await cluster.patch(path, {"metadata": {"finalizers": None}})
            await cluster.delete(path, grace=0)
    await cluster.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that pods can mount."""
    folder = SHARED / secrets.token_hex(5)
    (folder / "outputs").mkdir(parents=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def options(namespace: str, shared_folder: Path) -> KubernetesOptions:
    """A launcher's options: nothing of it waits for long."""
    return options_of(shared_folder, namespace=namespace, pull_grace=6.0)


@pytest.fixture
async def launcher(cluster: Cluster, options: KubernetesOptions) -> AsyncIterator[KubernetesLauncher]:
    """A launcher that is started; that pods reach the service is taken as proven."""
    proof.remember(cluster, options)
    launcher = KubernetesLauncher(options)
    await launcher.start()
    yield launcher
    await launcher.close()
