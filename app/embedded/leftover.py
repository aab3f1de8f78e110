"""Finds the Postgres that serves a folder by its own record, and ends one that an earlier start left."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import CannotStart

POLL = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What Postgres writes about itself into `postmaster.pid`, as far as it is written yet."""

    pid: int
    socket: Path | None
    state: str  # starting, ready, standby, stopping; empty before the first

    @property
    def ready(self) -> bool:
        return self.state == "ready"


def read_record(data: Path) -> Postmaster | None:
    """The record in the data folder, be its writer alive or not. Raises PermissionError.

    Its lines: pid, folder, start, port, socket folder, address, shared memory's key, state.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].strip().isdigit():
        return None
    socket = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    return Postmaster(int(lines[0]), socket, lines[7].strip() if len(lines) > 7 else "")


def serving(data: Path) -> Postmaster | None:
    """The record of a Postgres that lives and serves this folder, else None. Raises PermissionError."""
    record = read_record(data)
    return record if record and _works_in(record.pid, data) else None


def take_lock(path: Path, data: Path, *, patience: float = 10.0) -> int:
    """An open, locked file that the new Postgres is to inherit: as long as any process of one lives, it
    holds this lock, so two never serve one folder, whoever started them and however that one died.

    What holds it is a leftover of a start whose supervisor was killed: it is asked to end (SIGINT, a fast
    shutdown), and after half of `patience` seconds its processes are killed, which costs no more than a
    crash would. Raises CannotStart when it can't be ended.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    began = time.monotonic()
    asked: int | None = None
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            (data / "postmaster.pid").unlink(missing_ok=True)  # its pid may be someone else's by now
            return lock
        waited = time.monotonic() - began
        left = list(_processes(data))
        record = read_record(data)
        try:
            if record and record.pid in left and waited < patience / 2:
                if asked != record.pid:
                    os.kill(record.pid, signal.SIGINT)
                    asked = record.pid
            else:
                for pid in left:  # orphans of a server that was killed, or one that does not end
                    os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            waited = patience
        if waited >= patience:
            os.close(lock)
            raise CannotStart(f"Another Postgres still runs on {data} and can't be ended.")
        time.sleep(POLL)


def _processes(data: Path) -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and _works_in(int(entry.name), data):
            yield int(entry.name)


def _works_in(pid: int, data: Path) -> bool:
    """Whether that process is a Postgres of this folder: each one's working folder is its data."""
    try:
        here = Path(f"/proc/{pid}/cwd").stat()
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        there = data.stat()
    except (OSError, ValueError):
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino) and name == "postgres"
