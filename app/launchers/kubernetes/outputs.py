"""Outputs folders as the service makes them for pods, on the volume that both see. All blocks."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.launchers.kubernetes.volumes import folder
from app.volumes import Volume

_MODE = 0o2770


def make_outputs(path: Path, uid: int, gid: int) -> None:
    """Create the folder for jobs, or make an existing one (a copy that the service made) theirs.

    The folder itself comes last, so that what a crash cut is done again. Raises OSError.
    """
    path.mkdir(parents=True, exist_ok=True)
    status = path.stat()
    if os.geteuid() == 0:
        if (status.st_uid, status.st_gid) != (uid, gid):
            for entry in _walk(path):
                os.lchown(entry, uid, gid)
            path.chmod(_MODE)
    elif status.st_uid == os.geteuid():
        if status.st_gid != gid:
            os.chown(path, -1, gid)
        path.chmod(_MODE)


def find_volume(volumes: Iterable[Volume], uuid: str) -> Volume | None:
    """The volume on which these outputs lie; None where there are none yet."""
    return next((volume for volume in volumes if volume.path and Path(folder(volume, uuid)).is_dir()), None)


def _walk(path: Path) -> Iterator[Path]:
    """Every entry, children before their folder, links not followed."""
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)
    yield path
