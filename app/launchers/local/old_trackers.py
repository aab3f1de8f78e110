"""Lets trackers of 2018 start in every experiment, though they keep a token in one place of the machine.

They write the token that they have to `/tmp/.polyaxon/.authtoken`, and end where they can't; a later one
would read it there before its own. Experiments with users of their own can't share it, nor should they.
"""

import logging
import os
import shutil
import stat
from pathlib import Path

logger = logging.getLogger(__name__)

FOLDER = Path("/tmp/.polyaxon")  # noqa: S108


def forget_tokens(folder: Path = FOLDER) -> None:
    """Make the file a link to /dev/null in a folder of our own: whoever writes it writes nothing.

    A machine that doesn't let us is left as it is.
    """
    file = folder / ".authtoken"
    try:
        _make_ours(folder)
        if not file.is_symlink():
            file.unlink(missing_ok=True)
            file.symlink_to(os.devnull)
    except OSError as error:
        logger.warning("trackers of 2018 may not start in experiments: %s", error)


def _make_ours(folder: Path) -> None:
    if os.path.lexists(folder):
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            folder.chmod(0o755)
            return
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(folder)
        else:
            folder.unlink()
    folder.mkdir()
    folder.chmod(0o755)
