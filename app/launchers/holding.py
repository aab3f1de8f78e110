"""What one leading reconciler of a machine has for itself: a data folder, and a range of users for its jobs.

The kernel lets go of both however the process ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PLACES = ("/run", "/tmp")  # noqa: S108 - the first that is there and can be written
_FILE = "bunsen-users.lock"


class UsersTaken(Exception):
    """Another service of this machine has some of the users; the message is a whole sentence."""


@contextmanager
def held_folder(data: Path) -> Iterator[bool]:
    """Hold a data folder's jobs; False where another reconciler of it does."""
    data.mkdir(parents=True, exist_ok=True)
    lock = os.open(data / "launcher.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


@contextmanager
def held_users(span: tuple[int, int]) -> Iterator[None]:
    """Hold a range of uids, as root: a byte for each in one file of the machine. Once at a time in a process.

    Where no file can be kept, as on a read-only disk, nobody is refused. Raises UsersTaken.
    """
    first, last = span
    lock = _open()
    if lock is None:
        yield
        return
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, last - first + 1, first)
    except OSError:
        os.close(lock)
        raise UsersTaken(
            f"Of the users {first}-{last} another service on this machine has some: "
            "give this one others with BUNSEN_UIDS."
        ) from None
    try:
        yield
    finally:
        os.close(lock)


def _open() -> int | None:
    for place in _PLACES:
        with suppress(OSError):
            way = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            lock = os.open(Path(place, _FILE), way, 0o600)
            if os.fstat(lock).st_uid == os.geteuid():
                return lock
            os.close(lock)  # /tmp is everybody's
    return None
