"""Holds a memory limit over a group of processes by their summed PSS (shared pages count once, in parts)."""

import os
import select
import signal
from collections.abc import Sequence

from app.launchers.local.runner.identity import Identity

_PAGE = os.sysconf("SC_PAGE_SIZE")
_READER_SECONDS = 5.0
_NEAR = 0.9  # of the limit: below it the resident size, which is never less than PSS, is proof enough


class MemoryLimit:
    """The limit in bytes, read by this process or, where it may not, by one with the job's user.

    `unreadable` becomes true when neither may.
    """

    def __init__(self, limit: int, identity: Identity | None) -> None:
        self.limit = limit
        self.unreadable = False
        self._identity = identity
        self._by_reader = False
        self._first = True

    def excess(self, pids: Sequence[int]) -> int | None:
        """The bytes that the processes use where that is over the limit, else None."""
        if not self._first and sum(map(resident, pids)) < self.limit * _NEAR:
            return None
        self._first = False
        used = self.measure(pids)
        self.unreadable = used is None
        return used if used is not None and used > self.limit else None

    def measure(self, pids: Sequence[int]) -> int | None:
        """The summed PSS in bytes; None where it can't be read of any that lives."""
        if not self._by_reader:
            total = proportional(pids)
            if total is not None or self._identity is None:
                return total
            self._by_reader = True
        return self._ask_reader(pids)

    def _ask_reader(self, pids: Sequence[int]) -> int | None:
        """The same by a short-lived process with the job's user: its own processes it may read."""
        reader, writer = os.pipe()
        child = os.fork() or self._answer(pids, writer)
        os.close(writer)
        try:
            ready, _, _ = select.select([reader], [], [], _READER_SECONDS)
            answer = os.read(reader, 64) if ready else b""
        finally:
            os.close(reader)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return int(answer) if answer else None

    def _answer(self, pids: Sequence[int], writer: int) -> int:
        """In the short-lived process, which ends here."""
        try:
            assert self._identity is not None
            self._identity.assume()
            total = proportional(pids)
            os.write(writer, b"" if total is None else str(total).encode())
        finally:
            os._exit(0)


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def proportional(pids: Sequence[int]) -> int | None:
    """Summed PSS in bytes; None where it may be read of none of those that live."""
    total, seen, denied = 0, 0, 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                for line in file:
                    if line.startswith(b"Pss:"):
                        total += int(line.split()[1]) * 1024
                        break
            seen += 1
        except ProcessLookupError:
            continue
        except FileNotFoundError:
            denied += os.path.exists(f"/proc/{pid}/statm")
        except PermissionError:
            denied += 1
    return None if denied and not seen else total
