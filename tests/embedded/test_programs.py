"""Postgres' programs are run where they are, or laid where their user can reach them."""

import os
import shutil
from collections.abc import Iterator
from importlib import invalidate_caches, util
from pathlib import Path

import pytest

from app.embedded import programs
from app.embedded.errors import CannotStart
from app.embedded.identity import ServerUser, server_user
from app.embedded.programs import PACKAGE, find_programs
from tests.embedded.conftest import MakeServer
from tests.embedded.processes import ask

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")


@pytest.fixture
def closed_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The wheel as it lies below a closed home."""
    spec = util.find_spec(PACKAGE)
    assert spec
    assert spec.origin
    site = Path(spec.origin).parents[1]
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(site / PACKAGE, home / PACKAGE, copy_function=os.link)
    shutil.copytree(site / f"{PACKAGE}.libs", home / f"{PACKAGE}.libs", copy_function=os.link)
    monkeypatch.syspath_prepend(home)
    invalidate_caches()
    yield home
    invalidate_caches()


@as_root
def test_below_a_closed_home_they_are_laid_in_the_data_folder(
    closed_wheel: Path, folder: Path, make_server: MakeServer
) -> None:
    server = make_server()
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1
    running = Path(f"/proc/{server.pid}/exe").readlink()
    assert running.is_relative_to(folder / "runtime")
    user = server_user(folder / "none")
    assert find_programs(folder / "runtime", user) == running.parent


@as_root
def test_where_they_cant_be_laid_either_it_is_said(closed_wheel: Path, folder: Path) -> None:
    user = server_user(folder / "none")
    folder.chmod(0o700)
    with pytest.raises(CannotStart, match=f"user {user.name} can't reach {folder}"):
        find_programs(folder / "runtime", user)


def test_without_the_wheel_its_absence_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PACKAGE", "no_such_package")
    with pytest.raises(CannotStart, match="is not installed"):
        find_programs(folder, ServerUser("me", os.geteuid(), os.getegid()))
