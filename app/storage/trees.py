"""Copies of whole folders, whatever a hostile job put into them."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.disk import delete_tree
from app.storage.beneath import Beneath, Entry, NotThere
from app.storage.files import part_of, parts, room_checked, sync_folder

_COPY = 16 * 1024 * 1024


def copy_tree(source: Path, target: Path) -> None:
    """Make `target` a copy of a folder that may be written to meanwhile. There already: nothing happens.

    It appears whole or not at all. Files have what was in them when they were read, modes (without setuid)
    and times; links are kept where they stay inside, hard links become files of their own. All belongs to
    the service, the folder itself closed to others. No `source`: an empty folder.
    Raises InsufficientStorage, TooDeep, OSError; then nothing is left of it.
    """
    if target.exists():
        return
    delete_parts(target)
    part = part_of(target)
    with room_checked("The outputs can't be copied"):
        try:
            part.mkdir(mode=0o700)
            with suppress(NotThere), Beneath(source) as origin, Beneath(part) as copy:
                for entry in origin.walk():
                    _copy(origin, entry, copy)
            os.sync()
            _take_place(part, target)
            sync_folder(target.parent)
        finally:
            delete_tree(part)


def delete_parts(path: Path) -> None:
    """Delete what copies and deletions of `path` left that were cut off. Raises OSError.

    Each under a new name first: a copy that goes on, of a reconciler that leads no more, must not put what
    is half deleted in its place.
    """
    for part in parts(path.parent, path.name):
        hidden = part_of(path)
        part.rename(hidden)
        delete_tree(hidden)


def _take_place(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # made by another meanwhile: as good as ours
            raise


def _copy(origin: Beneath, entry: Entry, copy: Beneath) -> None:
    """Copy one entry, unless it was removed since its name was read, or its folder was before it."""
    with suppress(NotThere, FileNotFoundError):
        _copy_entry(origin, entry, copy)


def _copy_entry(origin: Beneath, entry: Entry, copy: Beneath) -> None:
    into = copy.descend(entry.parts[:-1])
    try:
        if entry.kind == stat.S_IFREG:
            _copy_file(origin, entry, into)
        elif entry.kind == stat.S_IFLNK:
            link = origin.link(entry)
            if link is not None:
                os.symlink(link, entry.name, dir_fd=into)
        else:
            mode = os.stat(entry.name, dir_fd=entry.folder, follow_symlinks=False).st_mode
            os.mkdir(entry.name, dir_fd=into)
            os.chmod(entry.name, (mode & 0o2777) | 0o700, dir_fd=into)
    finally:
        os.close(into)


def _pieces(source: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data, from and to; its holes, of which some programs make terabytes, are left out. An
    empty last piece where it ends in one."""
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            start = size  # nothing but a hole from here on
        start = min(start, size)
        end = min(os.lseek(source, start, os.SEEK_HOLE), size) if start < size else size
        yield start, end


def _send(source: int, copy: int, start: int, end: int) -> bool:
    """Copy a piece to its place; False where the file ends before, since it became shorter."""
    os.ftruncate(copy, start)
    os.lseek(copy, start, os.SEEK_SET)
    while start < end:
        sent = os.sendfile(copy, source, start, min(end - start, _COPY))
        if not sent:
            return False
        start += sent
    return True


def _copy_file(origin: Beneath, entry: Entry, into: int) -> None:
    source = origin.open_entry(entry)
    try:
        status = os.fstat(source)
        copy = os.open(entry.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=into)
        try:
            for start, end in _pieces(source, status.st_size):
                if not _send(source, copy, start, end):
                    break
            os.fchmod(copy, status.st_mode & 0o777)
            os.utime(copy, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(copy)
    finally:
        os.close(source)
