"""The virtual environments of jobs: one plain one, and those that builds made; kept, shared, read-only."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from app.disk import delete_tree
from app.launchers.base import LaunchDelayed
from app.launchers.local.layout import Layout
from app.launchers.local.pythons import PythonChoice
from app.launchers.local.runner.records import read_record
from app.launchers.local.runner.sealing import MARKER, mark, seal

_POINTER = ".json"


class Environments:
    """`envs/NAME` is an environment, `envs/HASH.json` says which one a build's hash has at present."""

    def __init__(self, layout: Layout, python: PythonChoice) -> None:
        self._layout = layout
        self._python = python

    def path(self, name: str) -> Path:
        """The folder of an environment."""
        return self._layout.environments / name

    def pointer(self, build_hash: str) -> Path:
        """The file that names a hash's environment."""
        return self._layout.environments / f"{build_hash}{_POINTER}"

    def find(self, build_hash: str) -> str | None:
        """The name of the hash's environment, if it is whole and its Python is still the chosen one."""
        pointer = self.pointer(build_hash)
        record = read_record(str(pointer.parent), pointer.name)
        if record is None or record["python"] != self._python.interpreter.path:
            return None
        name = str(record["environment"])
        return name if self.is_whole(name) else None

    def is_whole(self, name: str) -> bool:
        """Whether it was finished, and its Python is there."""
        folder = self.path(name)
        return (folder / MARKER).exists() and (folder / "bin" / "python").exists()

    def base(self) -> str:
        """The environment without packages, made when it is first wanted. Blocks.

        Raises LaunchRefused where there is no Python for it, LaunchDelayed where it could not be made now.
        """
        interpreter = self._python.interpreter
        name = "base-" + hashlib.sha256(interpreter.path.encode()).hexdigest()[:16]
        if self.is_whole(name):
            return name
        with (self._layout.environments / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.is_whole(name):
                self._make_base(name)
        return name

    @property
    def python(self) -> str:
        """The program that environments are made of. Raises LaunchRefused."""
        return self._python.interpreter.path

    def remove(self, name: str) -> None:
        """Delete an environment, and what points at it. Raises OSError."""
        for pointer in self._layout.environments.glob(f"*{_POINTER}"):
            record = read_record(str(pointer.parent), pointer.name)
            if record is not None and record["environment"] == name:
                pointer.unlink(missing_ok=True)
        self._layout.discard(self.path(name))

    def remove_unfinished(self, building: Collection[str]) -> None:
        """Delete what builds left that are over; `building` names those that go on."""
        for folder in self._layout.environments.iterdir():
            if folder.is_dir() and folder.name not in building and not (folder / MARKER).exists():
                self._layout.discard(folder)

    def _make_base(self, name: str) -> None:
        path = self.path(name)
        delete_tree(path)
        done = subprocess.run(
            [
                *(sys.executable, "-I", "-m", "virtualenv", "--quiet", "--no-download"),
                *("--no-periodic-update", "--no-vcs-ignore", "--activators", "bash"),
                *("--app-data", str(self._layout.cache / "virtualenv")),
                *("--python", self._python.interpreter.path, str(path)),
            ],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd="/",
            check=False,
        )
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise LaunchDelayed(
                f"a virtual environment could not be made: {lines[-1] if lines else done.returncode}"
            )
        try:
            path.chmod(0o755)
            seal(str(path), os.geteuid())
            mark(str(path))
        except OSError as error:
            raise LaunchDelayed(f"a virtual environment could not be made: {error.strerror}") from error
