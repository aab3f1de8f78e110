"""A user's System V segments, semaphores and queues: in no folder, and there until someone removes them."""

import contextlib
import ctypes
from pathlib import Path

_REMOVE = 0  # IPC_RMID

_libc = ctypes.CDLL(None)


def remove_ipc(uid: int) -> None:
    """Remove all that this user made; no process of it is left. What is not root's to remove stays."""
    for shm in _made_by(uid, "shm", "shmid"):
        _libc.shmctl(shm, _REMOVE, None)
    for sem in _made_by(uid, "sem", "semid"):
        _libc.semctl(sem, 0, _REMOVE)
    for msg in _made_by(uid, "msg", "msqid"):
        _libc.msgctl(msg, _REMOVE, None)


def _made_by(uid: int, table: str, identifier: str) -> list[int]:
    """From the kernel's table, whose first line names its columns; none where it has no such table."""
    with contextlib.suppress(OSError):
        head, *rows = Path(f"/proc/sysvipc/{table}").read_text().splitlines()
        named = [dict(zip(head.split(), row.split(), strict=False)) for row in rows]
        return [int(row[identifier]) for row in named if row["cuid"] == str(uid)]
    return []
