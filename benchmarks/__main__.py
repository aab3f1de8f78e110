"""`make bench`: prints a table of operations with their bare limits and ratios, and keeps it."""

import asyncio
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import httpx

from benchmarks.load import Rate, measure, request
from benchmarks.service import Service, bare, service

SPEC = {
    "version": 1,
    "kind": "experiment",
    "declarations": {"lr": 0.1, "batch": 64, "total": "{{ batch * 10 }}"},
    "environment": {"resources": {"cpu": {"requests": 900}}},
    "run": {"cmd": "python train.py --lr={{ lr }} --total={{ total }}"},
}
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Line:
    """One operation: what was reached, its bare limit where one was measured, and the goal."""

    name: str
    reached: float
    unit: str
    bare: float | None = None
    goal: str = ""

    def cells(self) -> tuple[str, str, str, str, str]:
        ratio = f"{self.reached / self.bare:.2f}" if self.bare else ""
        bare_text = f"{self.bare:,.0f}" if self.bare else ""
        return (self.name, f"{self.reached:,.1f} {self.unit}", bare_text, ratio, self.goal)


def prepare(client: httpx.Client) -> tuple[int, int]:
    """A project with some experiments; the ids of one with a spec and of one that is tracked."""
    client.post("/projects", json={"name": "bench"}).raise_for_status()
    first = client.post("/root/bench/experiments", json={"config": SPEC}).json()["id"]
    tracked = client.post("/root/bench/experiments", json={"name": "tracked"}).json()["id"]
    for _ in range(300):
        client.post("/root/bench/experiments", json={"declarations": {"lr": 0.1}}).raise_for_status()
    client.post(f"/root/bench/experiments/{tracked}/metrics", json={"values": {"loss": 0.5, "accuracy": 0.9}})
    return int(first), int(tracked)


async def http_lines(up: Service, port: int, tracked: int) -> list[Line]:
    """Operations that are one request."""
    base = "/api/v1/root/bench/experiments"
    spec = json.dumps({"config": SPEC}).encode()

    async def ours(method: str, path: str, body: bytes = b"", expect: int = 200) -> Rate:
        made = request(method, path, up.token, body)
        return await measure(up.port, lambda _: made, expect=expect)

    async def theirs(method: str, path: str, body: bytes = b"", expect: int = 200) -> Rate:
        made = request(method, path, "x", body)
        return await measure(port, lambda _: made, expect=expect)

    bare_get = await theirs("GET", "/one/7")
    bare_list = await theirs("GET", "/list")
    bare_insert = await theirs("POST", "/insert", b"{}", 201)
    lines = [
        Line(
            "get one", (await ours("GET", f"{base}/{tracked}")).per_second, "/s", bare_get.per_second, "2,000"
        ),
        Line(
            "list 100", (await ours("GET", f"{base}?limit=100")).per_second, "/s", bare_list.per_second, "410"
        ),
        Line(
            "list 100 by a metric",
            (await ours("GET", f"{base}?limit=100&query=metric.loss:%3C0.9")).per_second,
            "/s",
            bare_list.per_second,
            "390",
        ),
        Line(
            "create with a spec",
            (await ours("POST", base, spec, 201)).per_second,
            "/s",
            bare_insert.per_second,
            "1,550",
        ),
        Line(
            "log one metric",
            (await ours("POST", f"{base}/{tracked}/metrics", b'{"values": {"loss": 0.1}}', 201)).per_second,
            "/s",
            bare_insert.per_second,
            "2,130",
        ),
        Line(
            "set a status",
            (await ours("POST", f"{base}/{tracked}/statuses", b'{"status": "running"}', 201)).per_second,
            "/s",
            bare_insert.per_second,
            "2,000",
        ),
    ]
    points = [{"values": {"batched": n / 7}, "step": n} for n in range(1000)]
    batch = json.dumps({"points": points}).encode()
    rate = await measure(
        up.port, lambda _: request("POST", f"{base}/{tracked}/metrics/batch", up.token, batch), expect=201
    )
    lines.append(Line("metrics in batches of 1,000", rate.per_second * 1000, "points/s", None, "200,000"))
    return lines


def history_line(client: httpx.Client, tracked: int) -> Line:
    """100,000 points of one metric thinned to 1,000."""
    for start in range(0, 100_000, 10_000):
        points = [{"values": {"thinned": (n * 7919) % 1000}, "step": n} for n in range(start, start + 10_000)]
        client.post(
            f"/root/bench/experiments/{tracked}/metrics/batch", json={"points": points}
        ).raise_for_status()
    times = []
    for _ in range(50):
        began = time.perf_counter()
        path = f"/root/bench/experiments/{tracked}/metrics/history"
        client.get(path, params={"name": "thinned", "max_points": 1000}).raise_for_status()
        times.append((time.perf_counter() - began) * 1000)
    return Line("100,000 points thinned to 1,000, p99", sorted(times)[-1], "ms", None, "< 50")


def log_lines(client: httpx.Client) -> list[Line]:
    """One process' flood, stored and read back."""
    lines = 2_000_000
    cmd = f"yes {'x' * 99} | head -n {lines}"
    spec = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}}
    began = time.perf_counter()
    id = client.post("/root/bench/experiments", json={"config": spec}).json()["id"]
    path = f"/root/bench/experiments/{id}"
    with client.stream("GET", f"{path}/logs", params={"follow": "true"}) as answer:
        size = sum(len(part) for part in answer.iter_raw())
    stored = time.perf_counter() - began
    found = [Line("log lines from print to a follower", lines / stored, "lines/s", None, "200,000")]
    if size != lines * 100:
        raise RuntimeError(f"{size} bytes of {lines * 100} came")
    for name, suffix, goal in (
        ("text", "logs", "300"),
        ("NDJSON", "logs/lines", "150"),
        ("SSE", "logs/events", "150"),
    ):
        began = time.perf_counter()
        with client.stream("GET", f"{path}/{suffix}") as answer:
            size = sum(len(part) for part in answer.iter_raw())
        rate = size / (time.perf_counter() - began) / 1e6
        found.append(Line(f"log read back as {name}", rate, "MB/s", None, goal))
    return found


def main() -> None:
    """Measure everything, print, keep."""
    with service() as up, up.client() as client:
        api = up.part("app.cli serve")
        lines = [
            Line("serve: start to first answer", up.start_seconds, "s", None, "< 1"),
            Line("serve: idle memory", api.memory_info().rss / 1e6, "MB", None, "< 120"),
        ]
        _, tracked = prepare(client)
        with bare(up.database_url) as port:
            lines += asyncio.run(http_lines(up, port, tracked))
        lines.append(history_line(client, tracked))
        lines += log_lines(client)
    show(lines)


def show(lines: list[Line]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("fastapi", "sqlalchemy", "asyncpg", "uvicorn")
    )
    rows = ["| operation | reached | bare | ratio | goal |", "|---|---|---|---|---|"]
    rows += ["| " + " | ".join(line.cells()) + " |" for line in lines]
    text = "\n".join(
        [
            f"Commit {commit.stdout.strip()}, Python {platform.python_version()}, {versions}.",
            "Client, service and Postgres on one machine.",
            "",
            *rows,
            "",
        ]
    )
    sys.stdout.write(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{time.strftime('%Y-%m-%d')}.md").write_text(text)


if __name__ == "__main__":
    main()
