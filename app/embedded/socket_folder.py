"""Where Postgres' socket lies: closed to others, and short enough for the kernel."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from app.embedded.configuration import PORT
from app.embedded.identity import ServerUser

LIMIT = 107  # bytes of a socket's path, without its final NUL (unix(7))
NAME = f".s.PGSQL.{PORT}"


def socket_folder(wanted: Path, user: ServerUser) -> Path:
    """A folder of mode 0700 that `user` owns, without what a killed server left there: `wanted`, or a
    short one where its path is too long, or has a comma, at which clients split it."""
    if len(os.fsencode(wanted / NAME)) > LIMIT or "," in str(wanted):
        folder = _short_folder(wanted, user)
    else:
        folder = wanted
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, user.uid, user.gid)
        folder.chmod(0o700)
    for name in (NAME, f"{NAME}.lock"):
        (folder / name).unlink(missing_ok=True)
    return folder


def _short_folder(wanted: Path, user: ServerUser) -> Path:
    short = Path(_short_base()) / f"bunsen-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]}"
    try:
        short.mkdir(mode=0o700)
        os.chown(short, user.uid, user.gid)
    except FileExistsError:
        if not _is_ours(short, user):  # someone else got there first, in a folder that all may write
            short = Path(tempfile.mkdtemp(prefix="bunsen-", dir=short.parent))
            os.chown(short, user.uid, user.gid)
    return short


def _short_base() -> str:
    """A short folder for run-time files: root's, the person's session's, or the one for all."""
    for base in ("/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp"):  # noqa: S108
        if base and len(base) < LIMIT // 2 and os.access(base, os.W_OK | os.X_OK):
            return base
    return tempfile.gettempdir()


def _is_ours(folder: Path, user: ServerUser) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user.uid and stat.S_IMODE(found.st_mode) == 0o700
