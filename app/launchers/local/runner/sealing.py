"""Copies an environment for a build to fill, and closes it after: the service's, read-only, published."""

import os
import stat
from collections.abc import Iterator, Mapping

from app.launchers.local.runner import records, system

MARKER = ".bunsen-environment"  # inside the environment: it is complete


def give(path: str, uid: int, *, was: int) -> None:
    """Make what user `was` has at and below `path` another user's; what is anyone else's stays."""
    for entry, status in _walk(path):
        if status.st_uid == was:
            os.lchown(entry, uid, uid)


def copy(source: str, target: str) -> None:
    """Fill the folder `target` with what a sealed environment holds, writable, and at home in its new place:
    the scripts of `bin` and the activation name it."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(source + folder) as entries:
            for entry in entries:
                place = f"{target}{folder}/{entry.name}"
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), place)
                elif entry.is_dir():
                    os.mkdir(place, 0o755)
                    folders.append(f"{folder}/{entry.name}")
                elif entry.name != MARKER:
                    _copy_file(entry.path, place, source if folder == "/bin" else None, target)


def _copy_file(source: str, target: str, old: str | None, new: str) -> None:
    with open(source, "rb") as file:
        data = file.read()
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode) | 0o200
    if old is not None:
        data = data.replace(old.encode(), new.encode())
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        records.write_all(descriptor, data)
    finally:
        os.close(descriptor)


def seal(path: str, uid: int | None) -> None:
    """Make a tree this process' own and read-only for all.

    What is not the build's (a hard link to someone else's file) or neither file, folder nor symbolic link is
    removed: its owner and mode are not to be touched. No process of that user is alive by now.
    """
    owner = os.geteuid()
    for entry, status in _walk(path):
        kind = stat.S_IFMT(status.st_mode)
        if (uid is not None and status.st_uid != uid) or kind not in (
            stat.S_IFREG,
            stat.S_IFDIR,
            stat.S_IFLNK,
        ):
            if kind != stat.S_IFDIR:
                os.unlink(entry)
            continue
        if uid is not None:
            os.lchown(entry, owner, os.getegid())
        if kind == stat.S_IFREG:
            os.chmod(entry, 0o555 if status.st_mode & 0o100 else 0o444)
        elif kind == stat.S_IFDIR:
            os.chmod(entry, 0o555 if entry != path else 0o755)


def mark(path: str) -> None:
    """Mark the environment complete, durably: all that is in it is on the disk before."""
    with open(f"{path}/{MARKER}", "wb") as file:
        os.fchmod(file.fileno(), 0o444)
        system.sync_filesystem(file.fileno())
    os.chmod(path, 0o555)  # noqa: S103


def publish(pointer: str, record: Mapping[str, object]) -> None:
    """Let a hash point at its environment, which is marked."""
    folder, _, name = pointer.rpartition("/")
    records.write_record(folder, name, record, durable=True)


def _walk(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry with its status, children before their folder, links not followed."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            else:
                yield entry.path, entry.stat(follow_symlinks=False)
    yield path, os.stat(path, follow_symlinks=False)
