"""What another user can reach, and how a program is run as that user."""

import os
import subprocess
from pathlib import Path
from typing import TypedDict


class UserArguments(TypedDict, total=False):
    """The arguments of subprocess that change the user."""

    user: int
    group: int
    extra_groups: list[int]


def can_use(path: Path, uid: int, gid: int) -> bool:
    """Whether that user can read the file or folder, and execute or enter it where that is its use."""
    test = "rx" if os.access(path, os.X_OK) else "r"
    return _allowed(test, path, uid, gid)


def can_enter(path: Path, uid: int, gid: int) -> bool:
    """Whether that user can pass through the folder; it need not be able to list it."""
    return _allowed("x", path, uid, gid)


def _allowed(modes: str, path: Path, uid: int, gid: int) -> bool:
    """Asks the kernel, as that user, so that closed parents, access lists and mounts all count."""
    asked = subprocess.run(
        ["/bin/sh", "-c", " && ".join(f'test -{mode} "$1"' for mode in modes), "sh", str(path)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        **as_user(uid, gid),
    )
    return asked.returncode == 0


def as_user(uid: int, gid: int) -> UserArguments:
    """What subprocess needs to run a program as that user, with no groups but its own."""
    if (os.geteuid(), os.getegid()) == (uid, gid):
        return {}
    return {"user": uid, "group": gid, "extra_groups": []}
