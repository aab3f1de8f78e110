"""The database's folder: made whole or not at all, and looked at before Postgres is let near it."""

import os
import shutil
import subprocess
from pathlib import Path

from app.embedded.configuration import ADMIN, DATABASE, OWNER
from app.embedded.errors import CannotStart
from app.embedded.identity import ServerUser
from app.embedded.programs import MAJOR
from app.embedded.reach import as_user

MINIMUM_FREE = 128 * 1024**2  # bytes: a new database takes 40 MB and writes about as much again
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
ROLES = f"""\
CREATE ROLE {OWNER} LOGIN CREATEDB;

CREATE DATABASE {DATABASE} OWNER {OWNER};

"""


def check(data: Path) -> bool:
    """Whether there is a database in `data` (False: there is none yet). Raises CannotStart for one that
    this Postgres can't serve."""
    if not data.exists():
        return False
    version = data / "PG_VERSION"
    try:
        major = version.read_text().strip()
        whole = (data / "global" / "pg_control").stat().st_size > 0
    except FileNotFoundError as error:
        raise CannotStart(f"The database in {data} is broken: {error.filename} is missing.") from None
    except PermissionError:
        raise CannotStart(f"The database in {data} can't be read by this user.") from None
    if major != str(MAJOR):
        newer = major.isdigit() and int(major) > MAJOR
        raise CannotStart(
            f"The database in {data} was made by Postgres {major}, "
            f"{'newer than' if newer else 'not by'} the {MAJOR} that this version carries."
        )
    if not whole:
        raise CannotStart(f"The database in {data} is broken: global/pg_control is empty.")
    return True


def initialise(programs: Path, data: Path, user: ServerUser, *, durable: bool = True) -> None:
    """Make the database's folder `data`, owned by `user`, with the service's role and database in it.

    It is made beside its place, in a folder that `user` owns, and renamed when it is whole.
    Raises CannotStart.
    """
    free = shutil.disk_usage(data.parent).free
    if free < MINIMUM_FREE:
        raise CannotStart(
            f"There is no space for the database: {data.parent} has {free // 1024**2} MiB left, "
            f"it needs {MINIMUM_FREE // 1024**2}."
        )
    making = data.with_name(f".{data.name}-in-making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    os.chown(making, user.uid, user.gid)
    new = making / "data"
    _run(
        [
            *(programs / "initdb", "--pgdata", new, "--username", ADMIN, "--auth", "peer"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        ],
        user,
    )
    _run([programs / "postgres", "--single", "-j", "-D", new, "postgres"], user, ROLES)
    new.rename(data)
    making.rmdir()


def _run(command: list[str | Path], user: ServerUser, text: str = "") -> None:
    done = subprocess.run(
        command,
        input=text,
        text=True,
        capture_output=True,
        cwd="/",
        env=ENVIRONMENT,
        check=False,
        **as_user(user.uid, user.gid),
    )
    # The stand-alone server ends with 0 whatever its statements did.
    mistakes = [
        line for line in done.stderr.splitlines() if "ERROR" in line or "FATAL" in line or "error:" in line
    ]
    if done.returncode != 0 or mistakes:
        reason = mistakes[0].strip() if mistakes else f"exit code {done.returncode}"
        raise CannotStart(f"The database could not be made: {reason.removesuffix('.')}.")
