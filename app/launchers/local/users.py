"""Gives each experiment a user of its own out of a range of uids, and keeps who has which on disk."""

import os
import threading
from pathlib import Path

from app.launchers.local.runner.processes import all_processes, user_of

_LAST = "last"


class NoUserFree(Exception):
    """All uids of the range are in use."""


class Users:
    """A file for each uid in use, named by it, holding the principal. One process writes here.

    A uid given back is given out again as late as possible, since files of its last owner may lie outside
    the data folder; and none is given out of which something runs.
    """

    def __init__(self, folder: Path, span: tuple[int, int]) -> None:
        self._folder = folder
        self._first, self._last = span
        self._uids: dict[str, int] = {}
        self._newest = self._first - 1
        self._foreign: set[int] = set()
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read who has which. Raises OSError."""
        for entry in self._folder.iterdir():
            if entry.name == _LAST:
                self._newest = int(entry.read_text() or self._newest)
            elif entry.name.isdecimal():
                self._uids[entry.read_text()] = int(entry.name)
            else:
                entry.unlink()  # the beginning of a write that a crash cut
        self._foreign = self._find_foreign()

    def find(self, principal: str) -> int | None:
        """The principal's uid, None where it has none."""
        return self._uids.get(principal)

    def allot(self, principal: str) -> int:
        """The principal's uid, now or since long. Raises NoUserFree, OSError."""
        with self._lock:
            known = self._uids.get(principal)
            if known is not None:
                return known
            uid = self._next()
            self._write(str(uid), principal)
            self._write(_LAST, str(uid))
            self._newest = uid
            self._uids[principal] = uid
            return uid

    def release(self, principal: str) -> None:
        """Give the principal's uid back; it has no process and no file left by now."""
        with self._lock:
            uid = self._uids.pop(principal, None)
            if uid is not None:
                (self._folder / str(uid)).unlink(missing_ok=True)

    def _next(self) -> int:
        try:
            return self._free()
        except NoUserFree:
            if not self._foreign:
                raise
            self._foreign = self._find_foreign()
            return self._free()

    def _find_foreign(self) -> set[int]:
        """Those of which something runs that is nobody's here: where another service on this machine was
        ended, its experiments go on. While this one holds the range, none comes to these."""
        users = {uid for pid in all_processes() if (uid := user_of(pid)) is not None}
        return users - set(self._uids.values())

    def _free(self) -> int:
        used = {*self._uids.values(), *self._foreign}
        size = self._last - self._first + 1
        for step in range(size):
            uid = self._first + (self._newest - self._first + 1 + step) % size
            if uid not in used:
                return uid
        raise NoUserFree(f"all {size} users for experiments are in use")

    def _write(self, name: str, text: str) -> None:
        temporary = self._folder / f".{name}"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / name)
