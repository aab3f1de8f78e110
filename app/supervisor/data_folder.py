"""The folder of everything the service keeps: made, tried, and held by one `bunsen up` at a time."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import CannotStart

_LOCK = "up.lock"
MINIMUM_FREE = 64 * 1024**2  # bytes


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A data folder that this process holds. `left_over`: the last one that held it was killed, so that
    what it had started may live for a moment yet."""

    path: Path
    left_over: bool
    lock: int

    def check(self) -> None:
        """Raises CannotStart when it was removed, or another put in its place: nothing can be kept in it."""
        try:
            there = os.path.samestat((self.path / _LOCK).stat(), os.fstat(self.lock))
        except FileNotFoundError:
            there = False
        except OSError:
            return  # a disk that is away for a while
        if not there:
            raise CannotStart(f"{self.path} was removed while the service used it.")

    def note_url(self, url: str) -> None:
        """Keep where the service answers, for whoever knows the folder; a bad disk does without."""
        new = self.path / ".url"
        with suppress(OSError):
            new.write_text(f"{url}\n")
            new.rename(self.path / "url")


@contextmanager
def held_data_folder(path: Path) -> Iterator[DataFolder]:
    """Hold the folder for as long as the context lasts; the kernel lets go of it however this process ends.

    Raises CannotStart when it can't be made or written, has no space, or someone else holds it.
    """
    path = path.absolute()
    try:
        _make(path)
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(_why_not(path, error)) from None
    try:
        _take(lock, path)
        left_over = os.pread(lock, 20, 0) != b""
        _note(lock, path, f"{os.getpid()}\n".encode())
        yield DataFolder(path, left_over, lock)
        os.ftruncate(lock, 0)
    finally:
        os.close(lock)


def _make(path: Path) -> None:
    """As root others pass through it (Postgres, jobs), without seeing what is in it."""
    if not path.is_dir():
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.mkdir()
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
        process = f" (process {holder})" if holder else ""
        raise CannotStart(f"{path} is in use by another `bunsen up`{process}.") from None


def _note(lock: int, path: Path, text: bytes) -> None:
    free = shutil.disk_usage(path).free
    if free < MINIMUM_FREE:
        raise CannotStart(
            f"There is no space in {path}: {free // 1024**2} MiB are left, "
            f"the service needs {MINIMUM_FREE // 1024**2} to start."
        )
    try:
        os.pwrite(lock, text, 0)
        os.ftruncate(lock, len(text))
    except OSError as error:
        raise CannotStart(_why_not(path, error)) from None


def _why_not(path: Path, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path} can't be written by this user; name another folder with --data."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{path} is not a folder; name another with --data."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no space in {path}."
    return f"{path} can't be used: {error.strerror}."
