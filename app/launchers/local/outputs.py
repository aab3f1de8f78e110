"""Where experiments' outputs lie, and whose they are."""

import os
from pathlib import Path

from app.launchers.base import LaunchRefused
from app.launchers.local.layout import Layout
from app.launchers.local.options import LocalOptions
from app.launchers.local.runner.sealing import give

_MODE = 0o2750  # the experiment's own; its group reads, which those have that name these outputs


def outputs_path(options: LocalOptions, volume: str | None, uuid: str) -> Path:
    """The folder of an experiment's outputs: in a volume, else in the data folder. Raises LaunchRefused."""
    if volume is None:
        return Layout(options.data).outputs / uuid
    root = options.outputs_volumes.get(volume)
    if root is None:
        raise LaunchRefused(f"there is no outputs volume {volume!r} in the settings")
    return Path(root) / uuid


def make_outputs(path: Path, uid: int | None) -> None:
    """Create the folder for that user, or make an existing one (a copy that the service made) the user's.

    The folder itself comes last, so that what a crash cut is done again. Raises LaunchRefused, OSError.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise LaunchRefused("its outputs are no folder any more: a job put something in its place") from error
    if uid is not None and path.stat().st_uid != uid:
        give(str(path), uid, was=path.stat().st_uid)
        path.chmod(_MODE)


def find_outputs(options: LocalOptions, uuid: str) -> Path | None:
    """The outputs of another experiment, wherever they lie; None where there are none yet."""
    roots = [Layout(options.data).outputs, *map(Path, options.outputs_volumes.values())]
    return next((root / uuid for root in roots if (root / uuid).is_dir()), None)


def group_of(path: Path, span: tuple[int, int]) -> int | None:
    """The group by which others read these outputs, if it is one of experiments' own."""
    group = os.stat(path).st_gid  # noqa: PTH116
    return group if span[0] <= group <= span[1] else None
