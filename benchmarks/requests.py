"""Operations that are one request, beside the same as one statement behind FastAPI."""

import asyncio
import json
import time
from collections.abc import Callable

import httpx

from benchmarks.bare_limits import copied_points, inserted_rows, read_points
from benchmarks.load import measure, request
from benchmarks.service import Service
from benchmarks.table import Line

SPEC = {
    "version": 1,
    "kind": "experiment",
    "declarations": {"lr": 0.1, "batch": 64, "total": "{{ batch * 10 }}"},
    "environment": {"resources": {"cpu": {"requests": 900}}},
    "run": {"cmd": "python train.py --lr={{ lr }} --total={{ total }}"},
}
BASE = "/api/v1/root/bench/experiments"
POINTS = 100_000


def prepare(client: httpx.Client) -> int:
    """A project with some experiments; the id of one that is tracked."""
    client.post("/projects", json={"name": "bench"}).raise_for_status()
    tracked = client.post("/root/bench/experiments", json={"name": "tracked"}).json()["id"]
    for _ in range(300):
        client.post("/root/bench/experiments", json={"declarations": {"lr": 0.1}}).raise_for_status()
    client.post(f"/root/bench/experiments/{tracked}/metrics", json={"values": {"loss": 0.5, "accuracy": 0.9}})
    return int(tracked)


async def _rate(port: int, token: str, method: str, path: str, body: bytes = b"", expect: int = 200) -> float:
    made = request(method, path, token, body)
    return (await measure(port, lambda _: made, expect=expect)).per_second


async def request_lines(up: Service, port: int, tracked: int) -> list[Line]:
    """Requests a second of 16 clients. `port` is the bare application's."""

    async def ours(method: str, path: str, body: bytes = b"", expect: int = 200) -> float:
        return await _rate(up.port, up.token, method, BASE + path, body, expect)

    async def theirs(method: str, path: str, body: bytes = b"", expect: int = 200) -> float:
        return await _rate(port, "x", method, path, body, expect)

    get = await ours("GET", f"/{tracked}")
    bare_list, bare_insert = await theirs("GET", "/list"), await theirs("POST", "/insert", b"{}", 201)
    one = f"/{tracked}/metrics"
    points = {"points": [{"values": {"batched": n / 7}, "step": n} for n in range(1000)]}
    batches = await ours("POST", f"{one}/batch", json.dumps(points).encode(), 201)
    return [
        Line("get one, beside a pydantic model", get, "/s", await theirs("GET", "/one/7"), "2,000"),
        Line("get one, beside bytes as they are", get, "/s", await theirs("GET", "/bytes/7"), "2,000"),
        Line("list 100", await ours("GET", "?limit=100"), "/s", bare_list, "410"),
        Line(
            "log one metric",
            await ours("POST", one, b'{"values": {"loss": 0.1}}', 201),
            "/s",
            bare_insert,
            "2,130",
        ),
        Line(
            "metrics in batches of 1,000, beside COPY",
            batches * 1000,
            "points/s",
            await copied_points(up.database_url),
            "200,000",
        ),
        Line(
            "set a status",
            await ours("POST", f"/{tracked}/statuses", b'{"status": "running"}', 201),
            "/s",
            bare_insert,
            "2,000",
        ),
    ]


async def create_lines(up: Service, port: int) -> list[Line]:
    """To be measured last: the reconciler looks at each of those thousands, and so takes part of what
    would be measured after them."""
    body = json.dumps({"config": SPEC}).encode()
    created = await _rate(up.port, up.token, "POST", BASE, body, 201)
    bare = await _rate(port, "x", "POST", "/insert", b"{}", 201)
    return [
        Line("create with a spec", created, "/s", bare, "1,550"),
        Line("create, beside inserts without HTTP", created, "/s", await inserted_rows(up.database_url)),
    ]


async def large_list_line(up: Service, port: int) -> Line:
    """A page of those of 100,000 experiments that meet a condition on a metric: about 9 in 10."""
    await up.fill("bench", 100_000)
    made = request("GET", f"{BASE}?limit=100&query=metric.loss:%3C0.9", up.token)
    plain = request("GET", "/list", "x")
    reached, bare = await measure(up.port, lambda _: made), await measure(port, lambda _: plain)
    return Line("list 100 by a metric, of 100,000", reached.per_second, "/s", bare.per_second, "390")


def history_lines(up: Service, client: httpx.Client, tracked: int) -> list[Line]:
    """100,000 points of one metric thinned to 1,000."""
    path = f"/root/bench/experiments/{tracked}/metrics"
    for start in range(0, POINTS, 10_000):
        points = [{"values": {"thinned": (n * 7919) % 1000}, "step": n} for n in range(start, start + 10_000)]
        client.post(f"{path}/batch", json={"points": points}).raise_for_status()

    def thin() -> None:
        client.get(f"{path}/history", params={"name": "thinned", "max_points": 1000}).raise_for_status()

    times = _timed(thin, 100)
    bare = asyncio.run(read_points(up.database_url, tracked))
    return [
        Line("100,000 points thinned to 1,000, p50", times[49], "ms", bare),
        Line("100,000 points thinned to 1,000, p99", times[98], "ms", bare, "< 50"),
    ]


def _timed(work: Callable[[], None], times: int) -> list[float]:
    """The milliseconds of each of so many runs, sorted."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)
