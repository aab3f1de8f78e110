"""Chooses the Python that environments are made of: a setting's, or the newest that jobs' users can run."""

import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.launchers.base import LaunchRefused

_OLDEST = (3, 8)
_PLACES = ("/usr/local/bin", "/usr/bin", "/opt/*/bin")
_NAME = re.compile(r"python3\.(\d+)\Z")
_PROBE = "import sys; print(*sys.version_info[:2], sys.prefix == sys.base_prefix, sys.executable, sep='\\n')"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python program outside of virtual environments."""

    path: str
    version: tuple[int, int]


class PythonChoice:
    """`named` is the setting, `uid` a user of jobs (None: the service's own)."""

    def __init__(self, named: str | None, uid: int | None, search: str | None = None) -> None:
        self._named = named
        self._uid = uid
        self._search = os.environ.get("PATH", "") if search is None else search

    @cached_property
    def interpreter(self) -> Interpreter:
        """The choice, made once. Raises LaunchRefused where there is none."""
        if self._named is not None:
            path = shutil.which(self._named)
            found = self._probe(path) if path else None
            if found is None or found.version < _OLDEST:
                raise LaunchRefused(
                    f"The Python that BUNSEN_PYTHON names ({self._named}) can't be run by jobs' users,"
                    " or is older than 3.8."
                )
            return found
        for path in self._candidates():
            found = self._probe(path)
            if found is not None and found.version >= _OLDEST:
                return found
        raise LaunchRefused(
            "No Python 3.8 or newer was found that jobs' users can run; name one by BUNSEN_PYTHON."
        )

    def _candidates(self) -> Iterator[str]:
        """Newest first; of one version in the order of PATH, then of the usual places."""
        folders = [*self._search.split(os.pathsep), *_PLACES]
        found: dict[str, int] = {}
        for folder in (place for pattern in folders for place in sorted(glob.glob(pattern))):  # noqa: PTH207
            if not folder.startswith("/") or _inside(folder, sys.prefix):
                continue
            for name in _names(folder):
                match = _NAME.match(name)
                path = f"{folder}/{name}"
                if match and not _is_script(path):
                    found.setdefault(path, int(match[1]))
        return iter(sorted(found, key=lambda path: -found[path]))

    def _probe(self, path: str) -> Interpreter | None:
        """What it says of itself to a job's user; None where it can't, or where root should not run it."""
        if self._uid is not None and not _only_roots(path):
            return None
        user = {} if self._uid is None else {"user": self._uid, "group": self._uid, "extra_groups": []}
        try:
            done = subprocess.run(
                [path, "-I", "-c", _PROBE],
                capture_output=True,
                text=True,
                env={"LANG": "C.UTF-8"},
                cwd="/",
                timeout=20,
                check=False,
                **user,  # type: ignore[call-overload]
            )
        except (OSError, subprocess.SubprocessError):
            return None
        lines = done.stdout.splitlines()
        if done.returncode != 0 or len(lines) != 4 or lines[2] != "True":
            return None
        return Interpreter(lines[3] or path, (int(lines[0]), int(lines[1])))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _inside(folder: str, parent: str) -> bool:
    return Path(folder).resolve().is_relative_to(Path(parent).resolve())


def _is_script(path: str) -> bool:
    """A version manager's shim, for one."""
    try:
        with Path(path).open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def _only_roots(path: str) -> bool:
    """Root runs it too, when it makes an environment: nobody else may have a hand in it."""
    try:
        status = Path(path).resolve().stat()
    except OSError:
        return False
    return status.st_uid == 0 and not status.st_mode & 0o022
