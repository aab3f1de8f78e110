"""The whole service for a run: a `bunsen up` on a folder of its own, and the bare application beside it."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import psutil

from app.embedded.postgres import running_url

FILL = """
    INSERT INTO experiments OVERRIDING SYSTEM VALUE
    SELECT filled.*
    FROM generate_series(1, $2::int) n, (
        SELECT to_jsonb(experiments.*) AS row FROM experiments JOIN projects ON projects.id = project_id
        WHERE projects.name = $1 AND config IS NULL ORDER BY experiments.id LIMIT 1
    ) one, jsonb_populate_record(NULL::experiments, one.row || jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('experiments', 'id')), 'uuid', md5('uuid' || n),
        'outputs_uuid', md5('outputs' || n), 'name', NULL, 'status', 'succeeded'
    )) filled"""  # in FROM: beside SELECT it would be called for each column
METRICS = """
    INSERT INTO last_metrics (experiment_id, key, value, created_at, metric_id, count)
    SELECT id, 'loss', (id * 7919 % 1000) / 1000.0, now(), id, 1 FROM experiments
    ON CONFLICT DO NOTHING"""


@dataclass(frozen=True)
class Service:
    """Where it answers, and what opens it."""

    port: int
    token: str
    data: Path
    process: psutil.Process
    start_seconds: float

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1",
            headers={"Authorization": f"token {self.token}"},
            timeout=600,
        )

    def async_client(self) -> httpx.AsyncClient:
        with self.client() as client:
            url, headers = client.base_url, client.headers
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=600)

    def part(self, word: str) -> psutil.Process:
        return next(p for p in self.process.children(recursive=True) if word in " ".join(p.cmdline()))

    @property
    def database_url(self) -> str:
        url = running_url(self.data)
        assert url
        return re.sub(r"\+asyncpg", "", url)

    async def fill(self, project: str, count: int) -> None:
        """So many experiments that are tracked, done, and have a metric `loss` from 0 to 1."""
        connection = await asyncpg.connect(self.database_url)
        await connection.execute(FILL, project, count)
        await connection.execute(METRICS)
        await connection.execute("ANALYZE")
        await connection.close()


@contextmanager
def service(settings: Mapping[str, str] | None = None, port: int | None = None) -> Iterator[Service]:
    """Start it, wait until a request is answered, end it. Without settings it has room for many jobs."""
    settings = settings or {"BUNSEN_CPUS": "64", "BUNSEN_UIDS": "900000-909999"}  # none of another service's
    with tempfile.TemporaryDirectory(prefix="bunsen-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        data = Path(folder) / "data"
        _run(
            data, settings, port or free_port()
        )  # lays the database, so that the start that is measured is a later one
        port, began = port or free_port(), time.perf_counter()
        process = _start(data, port, settings)
        try:
            seconds = _until_answered(port, began)
            _until_ready(port)
            yield Service(
                port, (data / "token").read_text().strip(), data, psutil.Process(process.pid), seconds
            )
        finally:
            process.terminate()
            process.wait(30)


def _run(data: Path, settings: Mapping[str, str], port: int) -> None:
    process = _start(data, port, settings)
    _until_answered(port, time.perf_counter())
    _until_ready(port)
    process.terminate()
    process.wait(30)


def _start(data: Path, port: int, settings: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "app.cli",
            "up",
            "--data",
            str(data),
            "--port",
            str(port),
            "--log-level",
            "warning",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if not k.startswith("BUNSEN_")} | {**settings},
    )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _until_answered(port: int, began: float) -> float:
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
            return time.perf_counter() - began
        except httpx.TransportError:
            time.sleep(0.01)


def _until_ready(port: int) -> None:
    while httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).json().get("status") != "ready":
        time.sleep(0.1)


@dataclass(frozen=True)
class Bare:
    """The bare application, one worker, and how long its start took."""

    port: int
    process: psutil.Process
    start_seconds: float
    idle_memory: float


@contextmanager
def bare(database_url: str) -> Iterator[Bare]:
    """Start the bare application, end it."""
    port, began = free_port(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", "--port", str(port), "--no-access-log"],
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/one/1", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.01)
        seconds, found = time.perf_counter() - began, psutil.Process(process.pid)
        yield Bare(port, found, seconds, found.memory_info().rss / 1e6)
    finally:
        process.terminate()
        process.wait(30)
