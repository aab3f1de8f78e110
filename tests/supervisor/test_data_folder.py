"""One `bunsen up` holds a data folder at a time, and one that can't be used is named in a sentence."""

import multiprocessing
import os
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from app.embedded.errors import CannotStart
from app.supervisor import data_folder
from app.supervisor.data_folder import held_data_folder
from tests.embedded.other_user import as_other

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")


def test_it_is_made_closed_but_for_passing_through(tmp_path: Path) -> None:
    with held_data_folder(tmp_path / "deep" / "data") as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
        assert not folder.left_over


def test_one_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with held_data_folder(tmp_path):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with held_data_folder(Path("data")) as folder:
        assert folder.path == tmp_path / "data"


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with (
        held_data_folder(tmp_path),
        pytest.raises(CannotStart, match=rf"in use by another `bunsen up` \(process {os.getpid()}\)"),
        held_data_folder(tmp_path),
    ):
        pass
    with held_data_folder(tmp_path) as again:
        assert not again.left_over


def test_what_a_killed_holder_left_is_known(tmp_path: Path) -> None:
    def hold_and_die() -> None:
        with held_data_folder(tmp_path):
            os._exit(9)

    process = multiprocessing.get_context("fork").Process(target=hold_and_die)
    process.start()
    process.join()
    with held_data_folder(tmp_path) as folder:
        assert folder.left_over


@pytest.mark.parametrize("again", [False, True])
def test_its_removal_under_its_holder_is_named(tmp_path: Path, again: bool) -> None:
    with held_data_folder(tmp_path / "data") as folder:
        folder.check()
        (tmp_path / "data").rename(tmp_path / "moved")
        with (
            held_data_folder(tmp_path / "data") if again else nullcontext(),
            pytest.raises(CannotStart, match="data was removed while the service used it"),
        ):
            folder.check()


def test_a_full_disk_is_named_with_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "MINIMUM_FREE", 1 << 60)
    with (
        pytest.raises(CannotStart, match=r"There is no space in .*: \d+ MiB are left"),
        held_data_folder(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("path", "words"),
    [("/proc/none", "can't be used: No such file|can't be written"), ("/dev/null", "is not a folder")],
)
def test_what_cant_be_a_folder_is_named(path: str, words: str) -> None:
    with pytest.raises(CannotStart, match=words), held_data_folder(Path(path)):
        pass


def test_a_folder_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    """/dev/full takes no byte."""
    (tmp_path / "up.lock").symlink_to("/dev/full")
    with pytest.raises(CannotStart, match=r"There is no space in .*\.$"), held_data_folder(tmp_path):
        pass


@as_root
def test_a_folder_of_someone_else_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    def hold() -> None:
        with held_data_folder(closed / "data"):
            pass

    with pytest.raises(CannotStart, match="can't be written by this user"):
        as_other(65_534, 65_534, hold)
