"""A Python that other users can run, with those packages of the service that they need.

Root's own Python often lies below a closed home (pyenv, uv), and so does a clone. What an experiment's
user must run of the service, TensorBoard, is then laid below the data folder.
"""

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from app.embedded.errors import CannotStart
from app.embedded.laying import lay_folder
from app.embedded.reach import as_user

ROOTS = ("tensorboard", "setuptools", "virtualenv")
PROBE = "import tensorboard"
WARM = "import tensorboard.main, tensorboard.default; tensorboard.default.get_plugins()"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
UNNEEDED = {
    *("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "tkinter", "lib2to3"),
    "ensurepip",
}


def service_python_for_jobs(data_dir: Path, uid: int, gid: int) -> Path:
    """A Python that the user `uid` can run, and in which `-m tensorboard.main` and `-m virtualenv` work.

    The service's own where that user can run it, else one laid in `data_dir/runtime` the first time (hard
    links, and some seconds for compiling). Blocks; safe to call at once from several processes. Raises
    CannotStart.
    """
    own = Path(sys.executable)
    if _runs(own, PROBE, uid, gid):
        return own
    packages = _closure(ROOTS)
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    closed = not _runs(base, "", uid, gid)
    folder = data_dir.absolute() / "runtime" / f"python-{_release(base, packages, closed)}"
    files = [file for package in packages for file in _package_files(package)]
    if closed:
        files += [(base, f"bin/{VERSION}"), *_standard_library(), *_shared_libraries()]

    def finish(whole: Path) -> None:
        _write_program(whole, base, closed=closed)
        _run([whole / "bin" / "python", "-c", WARM])  # shows that it works, and leaves it compiled

    python = lay_folder(folder, files, finish) / "bin" / "python"
    if not _runs(python, PROBE, uid, gid):
        raise CannotStart(f"The users of jobs can't run {python}: a folder above it is closed to others.")
    return python


def _runs(python: Path, code: str, uid: int, gid: int) -> bool:
    try:
        done = subprocess.run(
            [python, "-P", "-s", "-c", code],
            cwd="/",
            env=ENVIRONMENT,
            capture_output=True,
            check=False,
            **as_user(uid, gid),
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, cwd="/", env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CannotStart(f"The Python for jobs' users does not work where it was laid: {reason}.")


def _write_program(place: Path, base: Path, *, closed: bool) -> None:
    """The program `bin/python` of the folder `place`: it finds all by where it lies itself, and leaves
    nothing in the environment that would mislead another Python started from it.

    Where the interpreter is laid there, a script: its libpython may be named by a path that is closed.
    Else what makes a virtual environment of the machine's interpreter.
    """
    program = place / "bin" / "python"
    program.parent.mkdir(mode=0o755, exist_ok=True)
    if closed:
        program.write_text(
            f'#!/bin/sh\nhere=${{0%/*}}\nLD_LIBRARY_PATH="$here/../lib" exec "$here/{VERSION}" -P -s "$@"\n'
        )
        program.chmod(0o755)
    else:
        program.symlink_to(base)
        (place / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")


def _closure(names: Iterable[str]) -> list[metadata.Distribution]:
    """These packages and all that they need, as far as this platform has them, by name."""
    found: dict[str, metadata.Distribution] = {}
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another platform
            continue
        found[name] = package
        needed = [text for text in package.requires or () if "extra ==" not in text]
        todo += [match[0] for text in needed if (match := re.match(r"[\w.-]+", text))]
    return [found[name] for name in sorted(found)]


def _release(base: Path, packages: Iterable[metadata.Distribution], closed: bool) -> str:
    """A short name of what is laid: the interpreter and the hashes that the packages' lists of files hold."""
    parts = [
        sys.version,
        str(base),
        str(closed),
        *(package.read_text("RECORD") or "" for package in packages),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _package_files(package: metadata.Distribution) -> Iterator[tuple[Path, str]]:
    """A package's files, except programs outside of the packages' folder and what was compiled."""
    for file in package.files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and "__pycache__" not in file.parts and source.is_file():
            yield source, f"lib/{VERSION}/site-packages/{file}"


def _standard_library() -> Iterator[tuple[Path, str]]:
    library = Path(sysconfig.get_path("stdlib"))
    for place, folders, names in os.walk(library):
        here = Path(place).relative_to(library)
        if here == Path():
            folders[:] = [name for name in folders if name not in UNNEEDED and not name.startswith("config-")]
        yield from ((Path(place, name), f"lib/{VERSION}/{here / name}") for name in names)


def _shared_libraries() -> Iterator[tuple[Path, str]]:
    """What lies beside the standard library for the linker: libpython, and all that conda keeps there."""
    for library in Path(sys.base_prefix, "lib").glob("*.so*"):
        if library.is_file():
            yield library, f"lib/{library.name}"
