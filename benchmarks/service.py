"""The whole service for a run: a `bunsen up` on a folder of its own, and the bare application beside it."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil


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

    def part(self, word: str) -> psutil.Process:
        return next(p for p in self.process.children(recursive=True) if word in " ".join(p.cmdline()))

    @property
    def database_url(self) -> str:
        url = self.part("app.cli serve").environ()["DATABASE_URL"]
        return re.sub(r"\+asyncpg", "", url)


@contextmanager
def service() -> Iterator[Service]:
    """Start it, wait until a request is answered, end it."""
    with tempfile.TemporaryDirectory(prefix="bunsen-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        data = Path(folder) / "data"
        _run(data)  # lays the database, so that the start that is measured is a later one
        port, began = free_port(), time.perf_counter()
        process = _start(data, port)
        try:
            seconds = _until_answered(port, began)
            _until_ready(port)
            yield Service(
                port, (data / "token").read_text().strip(), data, psutil.Process(process.pid), seconds
            )
        finally:
            process.terminate()
            process.wait(30)


def _run(data: Path) -> None:
    port = free_port()
    process = _start(data, port)
    _until_answered(port, time.perf_counter())
    _until_ready(port)
    process.terminate()
    process.wait(30)


def _start(data: Path, port: int) -> "subprocess.Popen[bytes]":
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
        env={k: v for k, v in os.environ.items() if not k.startswith("BUNSEN_")} | {"BUNSEN_CPUS": "64"},
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


@contextmanager
def bare(database_url: str) -> Iterator[int]:
    """The bare application, one worker; its port."""
    port = free_port()
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
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)
