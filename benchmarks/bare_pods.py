"""The bare client: pods of the same image and command with a volume for outputs, and nothing between."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from aiohttp import StreamReader

from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway, away, connect

Json = dict[str, Any]


def now() -> float:
    """Seconds since boot: what `/proc/uptime` says in a pod of this machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Namespace:
    """One that is the benchmark's own, and what a watch tells of its pods."""

    def __init__(self, cluster: Cluster, name: str, outputs: str) -> None:
        self.name = name
        self.pods: dict[str, Json] = {}
        self._cluster = cluster
        self._outputs = outputs
        self._path = f"/api/v1/namespaces/{name}/pods"
        self._news = asyncio.Condition()

    async def create(self, image: str, command: str) -> str:
        """A pod of one container and a volume, for which a node waits 0.3 s."""
        name = f"bare-{secrets.token_hex(5)}"
        container = {"name": "main", "image": image, "command": ["/bin/sh", "-c", command]}
        mount = {"name": "outputs", "mountPath": "/outputs"}
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [{**container, "volumeMounts": [mount]}],
            "volumes": [{"name": "outputs", "hostPath": {"path": self._outputs}}],
        }
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        await self._cluster.create(self._path, body)
        return name

    async def delete(self, name: str, grace: float) -> None:
        await self._cluster.delete(f"{self._path}/{name}", grace=grace)

    async def until(self, met: Callable[[], bool]) -> float:
        """When the watch told what meets the condition."""
        async with self._news, asyncio.timeout(300):
            await self._news.wait_for(met)
        return now()

    async def release(self) -> None:
        """Let go what finalizers hold."""
        pods, _ = await self._cluster.list(self._path)
        for pod in pods:
            with contextlib.suppress(ApiRefused):
                path = f"{self._path}/{pod['metadata']['name']}"
                await self._cluster.patch(path, {"metadata": {"finalizers": None}})

    def state(self, name: str) -> str:
        """What its container is in: `waiting`, `running`, `terminated`; empty where nothing is known."""
        for status in self.pods.get(name, {}).get("status", {}).get("containerStatuses") or ():
            return str(next(iter(status["state"]), ""))
        return ""

    async def lines(self, name: str) -> AsyncIterator[bytes]:
        """The pod's log as it comes."""
        async with self._cluster.stream(f"{self._path}/{name}/log", {"follow": "true"}, silence=None) as log:
            async for line in log:
                yield line

    async def watch(self) -> None:
        """Until it is cancelled. One that the API server cut off, as it may while many pods come, is begun
        anew."""
        while True:
            pods, version = await self._cluster.list(self._path)
            async with self._news:
                self.pods = {pod["metadata"]["name"]: pod for pod in pods}
                self._news.notify_all()
            with contextlib.suppress(ClusterAway):
                await self._follow(version)

    async def _follow(self, version: str) -> None:
        params = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3600"}
        async with self._cluster.stream(self._path, params, silence=None) as events:
            tail = b""
            while data := await self._some(events):
                *lines, tail = (tail + data).split(b"\n")
                async with self._news:
                    for line in lines:
                        self._take(orjson.loads(line))
                    self._news.notify_all()

    async def _some(self, events: StreamReader) -> bytes:
        async with away():
            return await events.read(256 * 1024)

    def _take(self, event: Json) -> None:
        if event["type"] == "ERROR":
            raise ClusterAway(event["object"]["message"])
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            self.pods.pop(name, None)
        else:
            self.pods[name] = event["object"]


@contextlib.asynccontextmanager
async def namespace(outputs: str) -> AsyncIterator[Namespace]:
    """Make it, watch it, delete it. `outputs` is a folder of the node."""
    cluster = await connect()
    name = f"bunsen-bench-{secrets.token_hex(3)}"
    await cluster.create("/api/v1/namespaces", {"metadata": {"name": name}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    found = Namespace(cluster, name, outputs)
    watching = asyncio.create_task(found.watch())
    try:
        async with asyncio.timeout(30):
            while True:  # without it no pod may be made there
                with contextlib.suppress(ApiRefused):
                    await cluster.get(account)
                    break
                await asyncio.sleep(0.1)
        yield found
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await found.release()
        await cluster.delete(f"/api/v1/namespaces/{name}")
        await cluster.close()
