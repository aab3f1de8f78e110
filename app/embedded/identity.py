"""As whom Postgres runs: the service's own user, or an unprivileged one where the service is root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import CannotStart

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user that owns the database's files and runs its processes."""

    name: str
    uid: int
    gid: int


def service_user_name() -> str:
    """The name by which Postgres knows this process' user (peer authentication). Raises CannotStart."""
    return _entry(os.geteuid()).pw_name


def server_user(data: Path) -> ServerUser:
    """Who runs Postgres on the data folder `data`: its owner, or who would make it. Raises CannotStart.

    Root runs nothing here: `postgres` where there is such a user, else `nobody` (initdb wants an entry in
    the password file); never the user of a job.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else None
    if me != 0:
        entry = _entry(me)
        if owner is not None and owner != me:
            raise CannotStart(f"The database in {data} belongs to another user ({_name(owner)}).")
    elif owner is None:
        entry = _unprivileged()
    elif owner == 0:
        name = _unprivileged().pw_name
        raise CannotStart(
            f"The database in {data} belongs to root, which Postgres refuses; `chown -R {name} {data}` helps."
        )
    else:
        entry = _entry(owner)
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid if me == 0 else os.getegid())


def _unprivileged() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart("Postgres doesn't run as root, and there is neither a user `postgres` nor `nobody`.")


def _entry(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise CannotStart(
            f"The user with the number {uid} has no entry in the password file, which Postgres needs."
        ) from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
