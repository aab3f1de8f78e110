"""The file that Postgres writes its messages to: kept short, and asked why a start failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LIMIT = 8 * 1024**2  # bytes; as much again is kept of what came before
SEVERE = ("PANIC:", "FATAL:")


class ServerLog:
    """A log that one process writes by appending, while this one cuts it."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._began = 0

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file for a new server to append to; what it says from here on is what `reason` reads."""
        with self._path.open("ab") as file:
            self._path.chmod(0o600)
            self._began = file.tell()
            yield file

    def trim(self) -> None:
        """Once it is too long, keep its text as `….1` and begin anew; lines of that moment may be lost."""
        try:
            if self._path.stat().st_size <= self._limit:
                return
        except FileNotFoundError:
            return
        with self._path.open("r+b") as file:
            self._path.with_suffix(f"{self._path.suffix}.1").write_bytes(file.read())
            file.truncate(0)
        self._began = 0

    def reason(self) -> str:
        """Why the server ended at its start, in its own words: the first severe message since then."""
        severe = self._severe()
        if severe:
            return severe[0]
        lines = self._said()
        return lines[-1].strip() if lines else "it said nothing"

    def last_severe(self) -> str:
        """Its last severe message since it was started; empty when there is none."""
        return next(reversed(self._severe()), "")

    def _said(self) -> list[str]:
        with self._path.open("rb") as file:
            file.seek(self._began)
            return file.read().decode(errors="replace").splitlines()

    def _severe(self) -> list[str]:
        return [
            line.partition(severity)[2].strip().removesuffix(".")
            for line in self._said()
            for severity in SEVERE
            if severity in line
        ]
