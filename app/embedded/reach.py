"""Which files another user can reach, and how to lay them where it can: hard links, else copies."""

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable
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


def lay(files: Iterable[tuple[Path, Path]]) -> None:
    """Lay each (source, target), readable by all: a hard link, or a copy where none can be made.

    A symbolic link is laid as the file that it names, so that nothing points back below a closed folder.
    """
    made: set[Path] = set()
    same_disk = True
    for source, target in files:
        if target.parent not in made:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            made.add(target.parent)
        real = source.resolve()
        mode = real.stat().st_mode
        if not (same_disk and mode & stat.S_IROTH and _linked(real, target)):
            same_disk = same_disk and real.stat().st_dev == target.parent.stat().st_dev
            shutil.copyfile(real, target)
            target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES):
            return False
        raise
    return True
