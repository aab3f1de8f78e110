"""Whole folders: deleted and copied, whatever a hostile job put into them."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from app.storage.beneath import Beneath, Entry, NotThere
from app.storage.files import part_of, room_checked

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY = 16 * 1024 * 1024
_MOST_TRIES = 100


def delete_tree(path: Path) -> None:
    """Delete a file or a folder with all that is in it, never through a link. There may be none.

    Folders may lie in folders without end: each is moved up before it is emptied, so that neither paths nor
    the number of open files grow. Raises OSError, also where something goes on writing there.
    """
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        path.unlink(missing_ok=True)
        return
    _open_up(str(path))
    root = os.open(path, _FOLDER)
    try:
        tries = 0
        while folders := _empty(root):
            tries += sum(_dissolve(root, name) is False for name in folders)
            if tries > _MOST_TRIES:
                raise OSError("A folder can't be deleted: something goes on writing to it.")
    finally:
        os.close(root)
    path.rmdir()


def _empty(folder: int) -> list[str]:
    """Unlink all that is no folder; the names of the folders."""
    folders = []
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=folder)
    return folders


def _dissolve(root: int, name: str) -> bool:
    """Move a folder's folders up beside it, unlink the rest, remove it; whether it was empty then."""
    _open_up(name, root)
    folder = os.open(name, _FOLDER, dir_fd=root)
    try:
        for below in _empty(folder):
            _open_up(below, folder)
            os.rename(below, secrets.token_hex(12), src_dir_fd=folder, dst_dir_fd=root)
    finally:
        os.close(folder)
    try:
        os.rmdir(name, dir_fd=root)
    except OSError:
        return False
    return True


def _open_up(name: str, folder: int | None = None) -> None:
    """Give ourselves back what its owner, who we are then, took from everyone; root needs no leave."""
    if os.geteuid() != 0:
        with suppress(FileNotFoundError):
            os.chmod(name, 0o700, dir_fd=folder)


def copy_tree(source: Path, target: Path) -> None:
    """Make `target` a copy of a folder that may be written to meanwhile. There already: nothing happens.

    It appears whole or not at all. Files have what was in them when they were read, modes (without setuid)
    and times; links are kept where they stay inside, hard links become files of their own. All belongs to
    the service, the folder itself closed to others. No `source`: an empty folder.
    Raises InsufficientStorage, TooDeep, OSError; then nothing is left of it.
    """
    if target.exists():
        return
    part = part_of(target)
    with room_checked("The outputs can't be copied"):
        try:
            part.mkdir(mode=0o700)
            with suppress(NotThere), Beneath(source) as origin, Beneath(part) as copy:
                for entry in origin.walk():
                    _copy(origin, entry, copy)
            os.sync()
            _take_place(part, target)
        finally:
            delete_tree(part)


def _take_place(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # made by another meanwhile: as good as ours
            raise


def _copy(origin: Beneath, entry: Entry, copy: Beneath) -> None:
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
    except NotThere:
        pass  # removed since its name was read
    finally:
        os.close(into)


def _copy_file(origin: Beneath, entry: Entry, into: int) -> None:
    source = origin.open_entry(entry)
    try:
        status = os.fstat(source)
        copy = os.open(entry.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=into)
        try:
            rest = status.st_size
            while rest and (sent := os.sendfile(copy, source, None, min(rest, _COPY))):
                rest -= sent
            os.fchmod(copy, status.st_mode & 0o777)
            os.utime(copy, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(copy)
    finally:
        os.close(source)
