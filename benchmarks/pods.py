"""`make bench-pods`: what the service adds to a cluster, beside the bare client in turns."""

import asyncio
import os
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.bare_pods import Namespace, namespace, now
from benchmarks.service import free_port, service
from benchmarks.table import Line, keep

ROUNDS = 12
CROWD, CROWDS = 40, 3
RAN = {"running", "terminated"}  # a node may tell of both at once
LOOK = 0.02  # seconds between two looks at a status
CROWD_LOOK = 0.25  # the same for a list
GRACE = 5.0
# Prints a line at once, and the time as the last thing that it does.
WORKS = "echo begun; sleep {}; exec cut -d ' ' -f 1 /proc/uptime"
WAITS = "trap 'exit 0' TERM; sleep 600 & wait"
EXPERIMENTS = "/root/pods/experiments"

Times = dict[str, list[float]]


def _works() -> str:
    """So long that a node sees it run, which looks once a second."""
    return WORKS.format(f"{1.5 + random.random():.2f}")


async def _any_moment() -> None:
    """Nodes look at their containers once a second: whatever ends does so at any moment of it."""
    await asyncio.sleep(random.random())


async def _bare_run(bare: Namespace, image: str, times: Times) -> None:
    began = now()
    name = await bare.create(image, _works())
    ran = await bare.until(lambda: bare.state(name) in RAN)
    times["running"].append(ran - began)
    log = bare.lines(name)
    await anext(log)
    times["line"].append(now() - began)
    ended = bare.until(lambda: bare.state(name) == "terminated")
    last, seen = await asyncio.gather(anext(log), ended)
    times["end"].append(seen - float(last))
    await bare.delete(name, 0)


async def _bare_stop(bare: Namespace, image: str, times: Times) -> None:
    name = await bare.create(image, WAITS)
    await bare.until(lambda: bare.state(name) == "running")
    await _any_moment()
    began = now()
    await bare.delete(name, GRACE)
    times["over"].append(await bare.until(lambda: bare.state(name) in {"terminated", ""}) - began)
    times["gone"].append(await bare.until(lambda: name not in bare.pods) - began)


async def _bare_crowd(bare: Namespace, image: str, times: Times) -> None:
    """As the service, which keeps what they print: each one's log is read."""
    began = now()

    async def whole() -> str:
        name = await bare.create(image, "echo done")
        await bare.until(lambda: bare.state(name) in RAN)
        if [line async for line in bare.lines(name)] != [b"done\n"]:
            raise RuntimeError(f"the log of {name} is not whole")
        await bare.until(lambda: bare.state(name) == "terminated")
        return name

    names = await asyncio.gather(*(whole() for _ in range(CROWD)))
    times["crowd"].append(now() - began)
    await asyncio.gather(*(bare.delete(name, 0) for name in names))
    await bare.until(lambda: not bare.pods)


async def _create(client: httpx.AsyncClient, command: str, ttl: int = 60) -> str:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": command}}
    answer = await client.post(EXPERIMENTS, json={"config": config, "ttl": ttl})
    return f"{EXPERIMENTS}/{answer.raise_for_status().json()['id']}"


async def _status(client: httpx.AsyncClient, path: str, *wanted: str) -> float:
    """When a reader that asks again and again saw one of these."""
    async with asyncio.timeout(300):
        while True:
            status = (await client.get(path)).raise_for_status().json()["last_status"]
            if status in wanted:
                return now()
            if status in {"failed", "stopped"}:
                raise RuntimeError(f"{path} is {status}")
            await asyncio.sleep(LOOK)


async def _lines(client: httpx.AsyncClient, path: str) -> AsyncIterator[str]:
    async with client.stream("GET", f"{path}/logs", params={"follow": "true"}) as log:
        async for line in log.aiter_lines():
            yield line


async def _run(client: httpx.AsyncClient, times: Times) -> None:
    began = now()
    path = await _create(client, _works())
    log = _lines(client, path)

    async def first_line() -> float:
        await anext(log)
        return now()

    line, running = await asyncio.gather(first_line(), _status(client, path, "running"))
    times["running"].append(running - began)
    times["line"].append(line - began)
    last, seen = await asyncio.gather(anext(log), _status(client, path, "succeeded"))
    times["end"].append(seen - float(last))
    await client.delete(path)


async def _stop(bare: Namespace, client: httpx.AsyncClient, times: Times) -> None:
    path = await _create(client, WAITS, ttl=0)  # its pod goes at once
    await _status(client, path, "running")
    (name,) = (name for name in bare.pods if bare.state(name) == "running")
    await _any_moment()
    began = now()
    (await client.post(f"{path}/stop")).raise_for_status()
    over, gone = await asyncio.gather(
        _status(client, path, "stopped"), bare.until(lambda: name not in bare.pods)
    )
    times["over"].append(over - began)
    times["gone"].append(gone - began)
    await client.delete(path)


async def _crowd(bare: Namespace, client: httpx.AsyncClient, times: Times) -> None:
    began = now()
    paths = await asyncio.gather(*(_create(client, "echo done") for _ in range(CROWD)))
    succeeded: dict[str, str | int] = {"query": "status:succeeded", "limit": 1}
    async with asyncio.timeout(300):
        while (await client.get(EXPERIMENTS, params=succeeded)).json()["count"] < CROWD:  # noqa: ASYNC110
            await asyncio.sleep(CROWD_LOOK)
    times["crowd"].append(now() - began)
    await asyncio.gather(*(client.delete(path) for path in paths))
    await bare.until(lambda: not bare.pods)


async def _measure(bare: Namespace, client: httpx.AsyncClient, image: str) -> tuple[Times, Times]:
    """Ours and the bare client's, in turns; the first of each warms up and does not count."""
    ours: Times = defaultdict(list)
    others: Times = defaultdict(list)
    await client.post("/projects", json={"name": "pods"})
    for turn in range(ROUNDS + 1):
        await _bare_run(bare, image, others)
        await bare.until(lambda: not bare.pods)
        await _run(client, ours)
        await bare.until(lambda: not bare.pods)
        await _bare_stop(bare, image, others)
        await _stop(bare, client, ours)
        await bare.until(lambda: not bare.pods)
        if not turn:
            ours.clear()
            others.clear()
    for _ in range(CROWDS):
        await _bare_crowd(bare, image, others)
        await _crowd(bare, client, ours)
    return ours, others


def _table(ours: Times, others: Times) -> list[Line]:
    rows = {
        "running": ("create to `running`", "bare + 0.3"),
        "line": ("create to the first log line at a reader", "bare + 0.3"),
        "end": ("process end to `succeeded`", "bare + 0.3"),
        "over": ("stop to `stopped`, beside the container's end", "bare + 0.3"),
        "gone": ("stop to gone", "bare + 0.3"),
        "crowd": (f"{CROWD} at once until all have succeeded", "1.2 × bare"),
    }
    median = statistics.median
    return [
        Line(name, median(ours[key]), "s", median(others[key]), goal) for key, (name, goal) in rows.items()
    ]


async def _main() -> None:
    image = os.environ["BUNSEN_DEFAULT_IMAGE"]
    with tempfile.TemporaryDirectory(prefix="bunsen-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        async with namespace(folder) as bare:
            port = free_port()
            host = urlsplit(os.environ["BUNSEN_ADVERTISE_URL"]).hostname
            given = {key: value for key, value in os.environ.items() if key.startswith("BUNSEN_")}
            settings = given | {
                "BUNSEN_LAUNCHER": "kubernetes",
                "BUNSEN_HOST": "0.0.0.0",
                "BUNSEN_ADVERTISE_URL": f"http://{host}:{port}",
                "BUNSEN_NAMESPACE": bare.name,
                "BUNSEN_OUTPUTS_VOLUME": f"hostPath:{folder}",
                "BUNSEN_GRACE": f"{GRACE:g}",
            }
            with service(settings, port) as up:
                async with up.async_client() as client:
                    ours, others = await _measure(bare, client, image)
    what = f"medians of {ROUNDS} runs, of {CROWDS} for the {CROWD} at once"
    keep(_table(ours, others), what, "-pods")


if __name__ == "__main__":
    asyncio.run(_main())
