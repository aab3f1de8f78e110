"""Deleting whole folders, whatever a hostile job put into them."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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
