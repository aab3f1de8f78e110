"""Starts the service's own code in processes that tests may kill, and asks the database."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

ROOT = Path(__file__).parents[2]
START = """
import sys, time
from pathlib import Path
from app.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
server.wait_ready(60)
print(server.pid, flush=True)
time.sleep(600)
"""


def start_elsewhere(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that starts a server on `folder` and waits: it, and the server's pid."""
    parent = subprocess.Popen(
        [sys.executable, "-c", START, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def ask(url: str, statement: str) -> object:
    """The one value that the statement answers."""

    async def fetch() -> object:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def until(
    condition: Callable[[], bool],
    seconds: float = 60.0,
    told: Callable[[], str] = lambda: "it did not happen in time",
) -> None:
    """Wait for the condition; fail after `seconds` with what is told then."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
