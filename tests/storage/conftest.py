"""Stores in folders of their own, and what it is like not to be root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.code_archives import CodeArchives
from app.storage.outputs import Outputs

NOBODY = 65534
KEY = "c0ffee"  # of the outputs


@pytest.fixture
def not_root() -> Iterator[Path]:
    """A folder of a user who is not root, as which the test runs."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be made to read what isn't a job's")


@pytest.fixture
def archives(tmp_path: Path) -> CodeArchives:
    return CodeArchives(tmp_path / "code")


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / KEY
    (root / "models/best").mkdir(parents=True)
    (root / "models/best/weights").write_bytes(b"w" * 700_000)
    (root / "empty").mkdir()
    (root / "log.txt").write_text("hello")
    os.utime(root / "log.txt", (1_700_000_000, 1_700_000_000.25))
    (root / "latest").symlink_to("models/best")
    return root
