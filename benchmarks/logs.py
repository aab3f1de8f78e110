"""Logs: a flood stored and read back, flat memory meanwhile, and many followers of one job."""

import asyncio
import base64
import contextlib
import threading
import time
from collections.abc import Iterator

import httpx
import psutil

from benchmarks.bare_limits import stored_lines
from benchmarks.followers import Followers, follow_all
from benchmarks.load import request
from benchmarks.service import Service
from benchmarks.table import Line

LINE = b"x" * 99 + b"\n"
FOLLOWERS = 1000
READ_BACK = {"text": ("logs", "300"), "NDJSON": ("logs/lines", "150"), "SSE": ("logs/events", "150")}
WAITING_SECONDS = 3.0
FOLLOW_SECONDS = 10.0
PRINTER = base64.b64encode(
    b"import time\n"
    b"for _ in range(600):\n"
    b"    print(f'{time.time():.6f} ' + 'x' * 80 + chr(10), end='', flush=True)\n"
    b"    for _ in range(99): print(f'{time.time():.6f} ' + 'x' * 80)\n"
    b"    time.sleep(0.1)\n"
).decode()


class Watched:
    """The largest memory of some processes, and the time of small requests, while something else goes on."""

    def __init__(self, up: Service, path: str) -> None:
        self._parts = {name: up.part(f"bunsen {name}") for name in ("serve", "reconcile")}
        self._up, self._path = up, path
        self._over = threading.Event()
        self.memory = dict.fromkeys(self._parts, 0.0)
        self.times: list[float] = []

    def _watch(self) -> None:
        with self._up.client() as client:
            while not self._over.wait(0.05):
                began = time.perf_counter()
                client.get(self._path).raise_for_status()
                self.times.append((time.perf_counter() - began) * 1000)
                for name, process in self._parts.items():
                    self.memory[name] = max(self.memory[name], process.memory_info().rss / 1e6)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def lines(self, what: str) -> list[Line]:
        late = sorted(self.times)[int(len(self.times) * 0.99)]
        return [
            Line(f"{what}: get one meanwhile, p99", late, "ms", None, "< 20"),
            Line(f"{what}: memory of the API", self.memory["serve"], "MB", None, "< 150"),
            Line(f"{what}: memory of the reconciler", self.memory["reconcile"], "MB", None, "< 150"),
        ]


def run(client: httpx.Client, cmd: str) -> str:
    """Launch a command; the experiment's path below `/api/v1`."""
    spec = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}}
    made = client.post("/root/bench/experiments", json={"config": spec})
    made.raise_for_status()
    return f"/root/bench/experiments/{made.json()['id']}"


def read(client: httpx.Client, path: str, **parameters: str) -> int:
    """How many bytes a stream has."""
    with client.stream("GET", path, params=parameters) as answer:
        answer.raise_for_status()
        return sum(len(part) for part in answer.iter_raw())


def flood_lines(up: Service, client: httpx.Client, count: int, port: int) -> list[Line]:
    """One process' flood, from print to a follower, and read back."""
    path = run(client, f"yes {LINE.decode().strip()} | head -n {count}")
    watched = Watched(up, path)
    began = time.perf_counter()
    with watched.running():
        size = read(client, f"{path}/logs", follow="true")
    stored = count / (time.perf_counter() - began)
    if size != count * len(LINE):
        raise RuntimeError(f"{size} bytes of {count * len(LINE)} came")
    bare = asyncio.run(stored_lines(up.database_url, LINE))
    lines = [
        Line(
            "log lines from print to a follower, beside zstd in Postgres", stored, "lines/s", bare, "200,000"
        )
    ]
    lines += watched.lines("a log written and followed")
    watched, reached = Watched(up, path), {}
    with watched.running():
        for form, (suffix, _) in READ_BACK.items():
            began = time.perf_counter()
            reached[form] = read(client, f"{path}/{suffix}") / (time.perf_counter() - began) / 1e6
    lines += [
        Line(f"log read back as {form}", reached[form], "MB/s", _bare_stream(port, form), goal)
        for form, (_, goal) in READ_BACK.items()
    ]
    return lines + watched.lines("a log read back")


def _bare_stream(port: int, name: str) -> float:
    with httpx.Client(timeout=60) as client:
        began = time.perf_counter()
        size = read(client, f"http://127.0.0.1:{port}/stream/{name.lower()}")
        return size / (time.perf_counter() - began) / 1e6


def follower_lines(up: Service, client: httpx.Client, bare: psutil.Process, port: int) -> list[Line]:
    """1,000 followers: what one that waits costs, and how late a line comes at 1,000 lines a second."""
    tracked = client.post("/root/bench/experiments", json={}).json()["id"]
    silent = request("GET", f"/api/v1/root/bench/experiments/{tracked}/logs?follow=true", up.token)
    api = up.part("bunsen serve")
    waiting = _waiting(api, up.port, silent)
    bare_waiting = _waiting(bare, port, request("GET", "/follow/silent", "x"))
    path = run(client, f"echo {PRINTER} | base64 -d | python3 -u -")
    printed = request("GET", f"/api/v1{path}/logs?follow=true&tail=0", up.token)
    ours, used = _following(api, up.port, printed)
    theirs, bare_used = _following(bare, port, request("GET", "/follow/printed", "x"))
    client.post(f"{path}/stop")
    return [
        Line("a follower that waits", waiting, "KiB", bare_waiting, "30"),
        Line("1,000 followers at 1,000 lines/s: p99", ours.late(0.99), "s", theirs.late(0.99), "< 0.3"),
        Line("1,000 followers at 1,000 lines/s: the API", used, "cores", bare_used),
    ]


def _waiting(process: psutil.Process, port: int, asked: bytes) -> float:
    before = process.memory_info().rss

    async def wait() -> float:
        async with follow_all(port, asked, FOLLOWERS):
            await asyncio.sleep(WAITING_SECONDS)
            return (process.memory_info().rss - before) / FOLLOWERS / 1024

    return asyncio.run(wait())


def _following(process: psutil.Process, port: int, asked: bytes) -> tuple[Followers, float]:
    async def follow() -> tuple[Followers, float]:
        async with follow_all(port, asked, FOLLOWERS) as followers:
            await asyncio.sleep(3)  # all are there, and the first lines
            followers.forget()
            before = sum(process.cpu_times()[:2])
            await asyncio.sleep(FOLLOW_SECONDS)
            return followers, (sum(process.cpu_times()[:2]) - before) / FOLLOW_SECONDS

    return asyncio.run(follow())
