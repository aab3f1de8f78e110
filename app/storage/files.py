"""Files that are there whole or not at all, and still there after a power cut."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from app.errors import InsufficientStorage

_TEMPORARY = ".bunsen-part-"


@contextmanager
def room_checked(what: str) -> Iterator[None]:
    """Turns a full disk or quota into InsufficientStorage; `what` begins its sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InsufficientStorage(f"{what}: there is no space left on the service's disk.") from error
        raise


class DurableFile:
    """A file to write (mode 0600) that takes the place of `path` when it is committed.

    It is fsynced, then renamed, then its folder is fsynced. Aborted, or left by an error, it is gone.
    Every call may raise InsufficientStorage, with a sentence that begins with `what`; then abort it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._part = part_of(path)
        self._what = what
        with room_checked(what):
            make_folders(path.parent)
            self._descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._open = True
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append."""
        rest = memoryview(data)
        with room_checked(self._what):
            while rest:
                written = os.write(self._descriptor, rest)
                self.size += written
                rest = rest[written:]

    def commit(self, path: Path | None = None) -> None:
        """Make it what its path names, durably; `path` if its name in that folder was not known before."""
        with room_checked(self._what):
            os.fsync(self._descriptor)
            self._close()
            self._part.replace(path or self._path)
            sync_folder(self._path.parent)

    def abort(self) -> None:
        """Remove it, if it is not committed."""
        self._close()
        self._part.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def part_of(path: Path) -> Path:
    """Another name beside `path`, for what is not whole yet or no more; `parts` finds it."""
    return path.with_name(f"{path.name}{_TEMPORARY}{secrets.token_hex(6)}")


def parts(folder: Path, pattern: str = "*") -> list[Path]:
    """What writers that died left in a folder; `*/*` for those in the folders of that."""
    return list(folder.glob(f"{pattern}{_TEMPORARY}*"))


def make_folders(path: Path) -> None:
    """The folder and those above it, mode 0700, each durable in the one above."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """What was created, renamed or removed in it survives a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
