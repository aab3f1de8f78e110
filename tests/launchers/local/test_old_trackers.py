"""What trackers of 2018 write is kept nowhere, whoever was there before."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.launchers.local.old_trackers import forget_tokens


def _of_another(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / ".authtoken").write_text("a token")
    if os.geteuid() == 0:
        os.chown(folder, 50_000, 50_000)


BEFORE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: None,
    "a folder of another user": _of_another,
    "a file": Path.touch,
    "a link": lambda folder: folder.symlink_to("/"),
    "what an earlier start made": forget_tokens,
}


@pytest.mark.parametrize("before", BEFORE)
def test_what_is_written_is_gone_and_everybody_may_write_it(tmp_path: Path, before: str) -> None:
    folder = tmp_path / ".polyaxon"
    BEFORE[before](folder)
    forget_tokens(folder)
    (folder / ".authtoken").write_text("a token")
    assert (folder / ".authtoken").read_text() == ""
    assert not (folder / ".authtoken").is_file()
    assert (folder.lstat().st_uid, folder.lstat().st_mode & 0o777) == (os.geteuid(), 0o755)


def test_a_place_that_cannot_be_made_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    forget_tokens(tmp_path / "missing" / ".polyaxon")
    assert "may not start" in caplog.text
