"""Lays files where other users can read them: a folder at a time, whole or not at all."""

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

UNUSED = 2 * 86_400.0  # seconds after which what another release laid is taken for unused


def lay_folder(
    folder: Path, files: Iterable[tuple[Path, str]], finish: Callable[[Path], None] | None = None
) -> Path:
    """Lay each (source, name below the folder) in `folder`, which appears when all is there.

    There already: it is marked as used, and nothing else happens. `finish` gets the folder at its temporary
    place, and what it raises leaves nothing behind. Folders that other releases laid beside it
    (`kind-release`) and that nobody used for days go away.
    """
    if folder.is_dir():
        os.utime(folder)
        return folder
    _discard_unused(folder)
    folder.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".laying-", dir=folder.parent) as place:
        Path(place).chmod(0o711)
        whole = Path(place) / folder.name
        whole.mkdir(mode=0o755)
        copied = _lay((source, whole / name) for source, name in files)
        if finish:
            finish(whole)
        if copied or finish:
            os.sync()  # whole after a power cut, too
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


def _discard_unused(folder: Path) -> None:
    kind = folder.name.partition("-")[0]
    for other in folder.parent.glob(f"{kind}-*"):
        if other.stat().st_mtime < time.time() - UNUSED:
            shutil.rmtree(other, ignore_errors=True)


def _lay(files: Iterable[tuple[Path, Path]]) -> int:
    """Hard links, or copies where none can be made. A symbolic link is laid as the file that it names, so
    that nothing points back below a closed folder. Gives how many were copied."""
    made: set[Path] = set()
    copied = 0
    for source, target in files:
        if target.parent not in made:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            made.add(target.parent)
        real = source.resolve()
        status = real.stat()
        if not (status.st_mode & stat.S_IROTH and _linked(real, target)):
            shutil.copyfile(real, target)
            target.chmod(0o755 if status.st_mode & stat.S_IXUSR else 0o644)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # compiled Python is known by it
            copied += 1
    return copied


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES):
            return False
        raise
    return True
