"""The whole service with pods: what a user sees of an experiment from its code to its deletion."""

import asyncio
import contextlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.launchers.kubernetes.client import Cluster
from app.settings import Settings
from app.worker import run_worker
from tests.launchers.kubernetes.seeing import LONGEST
from tests.launchers.kubernetes.specs import BUSYBOX, PYTHON
from tests.launchers.kubernetes.test_launching import left
from tests.live import serving
from tests.people import Person

HOST = "host.bunsen.test"  # this machine, as pods see it
TRAIN = """
import json, os, urllib.request
info = json.loads(os.environ["POLYAXON_EXPERIMENT_INFO"])
owner, project, number = info["experiment_name"].split(".")
url = f"{os.environ['POLYAXON_API_HTTP_HOST']}/api/v1/{owner}/{project}/experiments/{number}/metrics/"
headers = {
    "Content-Type": "application/json",
    "Authorization": "EphemeralToken " + os.environ["POLYAXON_SECRET_EPHEMERAL_TOKEN"],
}
body = json.dumps({"values": {"loss": 0.25}}).encode()
urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()
with open(os.path.join(os.environ["POLYAXON_RUN_OUTPUTS_PATH"], "model"), "a") as file:
    file.write("trained\\n")
print("trained", os.environ["POLYAXON_DECLARATIONS"])
"""


@contextlib.asynccontextmanager
async def on_pods(settings: Settings, token: str) -> AsyncIterator[tuple[httpx.AsyncClient, Settings]]:
    """The service on a port that pods reach, a reconciler beside it with the settings that it gives, and a
    client with a project."""
    stopping = asyncio.Event()
    async with serving(settings, host="0.0.0.0") as live:
        there = settings.model_copy(update={"advertise_url": f"http://{HOST}:{live.port}"})
        worker = asyncio.create_task(run_worker(there, stopping))
        async with live.client(token) as client:
            (await client.post("/projects", json={"name": "pods"})).raise_for_status()
            yield client, there
        if worker.done():
            worker.result()  # whatever ended it is why the test failed
        stopping.set()
        await worker


@pytest.fixture
def pods_settings(settings: Settings, cluster: Cluster, namespace: str, shared_folder: Path) -> Settings:
    """Those with which experiments are pods in the test's namespace."""
    outputs = f"hostPath:{shared_folder}/outputs"
    changes: dict[str, Any] = {"launcher": "kubernetes", "namespace": namespace, "outputs_volume": outputs}
    changes |= {"default_image": PYTHON, "helper_image": BUSYBOX, "grace": 5.0, "pull_grace": 6.0}
    return settings.model_copy(update=changes)


@pytest.fixture
async def ada_on_pods(pods_settings: Settings, ada: Person) -> AsyncIterator[httpx.AsyncClient]:
    """Ada's client of such a service."""
    async with on_pods(pods_settings, ada.token) as (client, _):
        yield client


class Experiment:
    """One of ada's, by its id."""

    def __init__(self, client: httpx.AsyncClient, id: int) -> None:
        self._client = client
        self.path = f"/ada/pods/experiments/{id}"

    async def get(self, below: str = "") -> Any:
        return (await self._client.get(self.path + below)).raise_for_status().json()

    async def done(self, *statuses: str) -> str:
        wanted = statuses or ("succeeded", "failed", "stopped")
        status = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                while (status := (await self.get())["last_status"]) not in wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        return status

    async def said(self) -> list[tuple[str, str | None]]:
        return [(row["status"], row["message"]) for row in (await self.get("/statuses"))["results"]]

    async def log(self) -> list[str]:
        answer = await self._client.get(f"{self.path}/logs", params={"follow": "true"}, timeout=LONGEST)
        return answer.raise_for_status().text.splitlines()

    async def why(self) -> str:
        """What it said and printed, for whoever reads that a test failed."""
        return "\n".join([*map(str, await self.said()), *await self.log()])

    async def post(self, verb: str) -> "Experiment":
        answer = (await self._client.post(f"{self.path}/{verb}")).raise_for_status().json()
        return Experiment(self._client, answer["id"])

    async def delete(self) -> None:
        (await self._client.delete(self.path)).raise_for_status()


async def make(client: httpx.AsyncClient, cmd: str, **spec: Any) -> Experiment:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}, **spec}
    answer = await client.post("/ada/pods/experiments", json={"config": config})
    return Experiment(client, answer.raise_for_status().json()["id"])


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


async def test_an_experiment_from_its_code_to_its_deletion(
    ada_on_pods: httpx.AsyncClient, cluster: Cluster, namespace: str, shared_folder: Path
) -> None:
    client = ada_on_pods
    code = {"repo": ("code.tar.gz", packed({"train.py": TRAIN}))}
    (await client.put("/ada/pods/repo/upload", files=code)).raise_for_status()
    first = await make(client, "python3 train.py", declarations={"lr": 0.1})
    assert await first.done() == "succeeded", await first.why()
    assert await first.log() == ['trained {"lr": 0.1}']
    # Each once, whatever was said of what it waits for while it had it.
    assert [status for status, _ in groupby(status for status, _ in await first.said())] == [
        *("created", "scheduled", "starting", "running", "succeeded")
    ]
    found = await first.get()
    assert found["last_metric"] == {"loss": 0.25}
    (job,) = (await first.get("/jobs"))["results"]
    assert job["node_scheduled"] == "node-1"
    manifest = (await first.get(f"/jobs/{job['id']}"))["definition"]
    assert manifest["kind"] == "Pod"
    assert "secretKeyRef" in json.dumps(manifest)

    second = await first.post("resume")
    assert await second.done() == "succeeded", await second.why()
    files = (await second.get("/outputs/files"))["results"]
    assert [(file["path"], file["size"]) for file in files] == [("model", 16)]
    third = await first.post("copy")
    assert await third.done() == "succeeded", await third.why()
    files = (await third.get("/outputs/files"))["results"]
    assert [(file["path"], file["size"]) for file in files] == [("model", 24)]

    for experiment in (first, second, third):
        await experiment.delete()
    async with asyncio.timeout(LONGEST):
        while await left(cluster, namespace) or any((shared_folder / "outputs").iterdir()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_what_it_waits_for_its_stop_and_its_failures(ada_on_pods: httpx.AsyncClient) -> None:
    image = {"build": {"image": BUSYBOX}}
    resources = {"environment": {"resources": {"cpu": {"requests": 1000}}}}
    waits = await make(ada_on_pods, "true", **resources)
    stopped = await make(ada_on_pods, "trap 'echo saved; exit 0' TERM; echo up; sleep 100 & wait", **image)
    twice = await make(ada_on_pods, "exit 3", termination={"max_retries": 1}, **image)
    roles = {"environment": {"pytorch": {"n_workers": 1}}}
    peers = await make(ada_on_pods, "[ $RANK = 0 ] && sleep 100; exit 5", **roles, **image)
    steps = await make(ada_on_pods, "true", build={"image": BUSYBOX, "build_steps": ["true"]})

    assert await stopped.done("running") == "running"
    await stopped.post("stop")
    assert await stopped.done() == "stopped"
    assert (await stopped.log())[-1] in {"saved", "up"}  # at once it may not have set its trap
    assert await twice.done() == "failed"
    words = [message for _, message in await twice.said() if message]
    assert words == ["attempt 2 of 2: failed with exit code 3", "failed with exit code 3"]
    assert await peers.done() == "failed"
    assert (await peers.said())[-1][1] == "worker 0: failed with exit code 5"
    async with asyncio.timeout(LONGEST):
        while "running" in {job["last_status"] for job in (await peers.get("/jobs"))["results"]}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await steps.done() == "failed"
    assert "BUNSEN_REGISTRY names one" in str((await steps.said())[-1][1])
    assert "nodes are available: 1 Insufficient cpu" in str((await waits.said())[-1][1])
    await waits.post("stop")
    assert await waits.done() == "stopped"
