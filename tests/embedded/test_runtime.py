"""Jobs' users get a Python with TensorBoard, wherever the service's own lies."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded import runtime
from app.embedded.errors import CannotStart
from app.embedded.runtime import service_python_for_jobs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")

JOB = 50_000


@pytest.fixture
def closed_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's environment, below a folder that no job's user can enter."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    python = home / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return python


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A data folder in which the runtime is laid once for the module."""
    with tempfile.TemporaryDirectory(prefix="bunsen-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def run_as_job(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments],
        user=JOB,
        group=JOB,
        extra_groups=[],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_services_own_serves_where_it_can_be_run(folder: Path) -> None:
    assert service_python_for_jobs(folder, os.geteuid(), os.getegid()) == Path(sys.executable)
    assert not (folder / "runtime").exists()


@pytest.mark.parametrize("module", ["tensorboard.main", "virtualenv"])
def test_below_a_closed_home_one_is_laid_that_works_as_a_jobs_user(
    closed_environment: Path, shared: Path, module: str
) -> None:
    python = service_python_for_jobs(shared, JOB, JOB)
    assert python.is_relative_to(shared / "runtime")
    done = run_as_job(python, "-m", module, "--version")
    assert done.returncode == 0, done.stderr
    assert service_python_for_jobs(shared, JOB, JOB) == python


def test_it_leads_no_other_python_astray(closed_environment: Path, shared: Path) -> None:
    python = service_python_for_jobs(shared, JOB, JOB)
    done = run_as_job(python, "-c", "import os; print([k for k in os.environ if k.startswith('PYTHON')])")
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("closed", [True, False], ids=["interpreter-closed", "interpreter-open"])
def test_the_interpreter_is_laid_with_it_only_where_it_is_closed_too(
    closed_environment: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """Every machine has one of the two; both are tried, by what is said of the interpreter."""
    real = runtime._runs

    def runs(python: Path, code: str, uid: int, gid: int) -> bool:
        return not closed if code == "" else real(python, code, *((uid, gid) if closed else (0, 0)))

    monkeypatch.setattr(runtime, "_runs", runs)
    monkeypatch.setattr(runtime, "WARM", "import tensorboard")
    if not closed:
        monkeypatch.setattr(sys, "executable", "/bin/false")
    python = service_python_for_jobs(folder, JOB, JOB)
    assert (python.parents[1] / "lib" / runtime.VERSION / "os.py").exists() is closed
    done = subprocess.run(
        [python, "-c", "import tensorboard, sys; print(sys.prefix)"], capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).resolve() == python.parents[1]


def test_one_that_does_not_work_is_said_and_not_kept(
    closed_environment: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "WARM", "raise SystemExit('no such thing')")
    with pytest.raises(CannotStart, match="does not work where it was laid: no such thing"):
        service_python_for_jobs(folder, JOB, JOB)
    assert list((folder / "runtime").iterdir()) == []


def test_a_data_folder_that_jobs_cant_enter_is_said(closed_environment: Path, shared: Path) -> None:
    service_python_for_jobs(shared, JOB, JOB)
    shared.chmod(0o700)
    try:
        with pytest.raises(CannotStart, match="a folder above it is closed"):
            service_python_for_jobs(shared, JOB, JOB)
    finally:
        shared.chmod(0o711)
