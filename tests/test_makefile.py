"""`make` tells a person what takes a while, and is quiet when it is asked to be."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.embedded.processes import ROOT


@pytest.mark.parametrize(
    ("words", "told"),
    [("run", True), ("install ARGS=--silent", True), ("-s install", False), ("--silent run", False)],
)
def test_what_is_installed_is_told_before_it_is(tmp_path: Path, words: str, told: bool) -> None:
    """With an interpreter that is none, so that the set-up itself ends at once."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "deploy" / "requirements", tmp_path / "deploy" / "requirements")
    shutil.copy(ROOT / "deploy" / "install", tmp_path / "deploy")
    of_make = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
    environment = {key: value for key, value in os.environ.items() if key not in of_make}
    command = ["make", *words.split(), "PYTHON=/nowhere"]
    made = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert made.stdout.startswith("bunsen: installing Python's packages into .venv") is told
    assert "Python 3.11 or newer is needed, which /nowhere is not" in made.stderr
    assert told or made.stdout == ""
