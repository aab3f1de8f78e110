"""What making a first environment unpacks into a data folder, done once for all folders of a test worker."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from app.launchers.local.layout import Layout


@functools.cache
def _unpacked() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bunsen-warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cache, made = folder / "cache", folder / "made"
    subprocess.run(
        [
            *(sys.executable, "-I", "-m", "virtualenv", "--quiet", "--no-download", "--no-periodic-update"),
            *("--app-data", str(cache), "--python", sys.executable, str(made)),
        ],
        check=True,
    )
    return cache


def _lay(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # it lies on another disk
        shutil.copy2(source, target)


def warm(data: Path) -> None:
    """Lay it into a data folder, which is made if it is not there. The files are the same where
    they can be, not copies."""
    layout = Layout(data)
    layout.cache.mkdir(mode=0o700, parents=True)
    layout.data.chmod(0o711)
    shutil.copytree(_unpacked(), layout.cache / "virtualenv", copy_function=_lay)
