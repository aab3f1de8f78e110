"""A folder is laid whole or not at all, readable by all, linked or copied."""

import os
import tempfile
from pathlib import Path

import pytest

from app.embedded.laying import UNUSED, lay_folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "open").write_text("open")
    (folder / "open").chmod(0o644)
    (folder / "closed").write_text("closed")
    (folder / "closed").chmod(0o600)
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "program").chmod(0o700)
    (folder / "link").symlink_to("open")
    return folder


def files_of(source: Path) -> list[tuple[Path, str]]:
    return [(source / name, f"deep/{name}") for name in ("open", "closed", "program", "link")]


def test_what_all_may_read_is_linked_and_what_not_is_copied_open(source: Path, tmp_path: Path) -> None:
    laid = lay_folder(tmp_path / "runtime" / "kind-1", files_of(source)) / "deep"
    assert (laid / "open").samefile(source / "open")
    assert (laid / "link").samefile(source / "open")
    assert not (laid / "link").is_symlink()
    assert (laid / "closed").stat().st_mode & 0o777 == 0o644
    assert (laid / "program").stat().st_mode & 0o777 == 0o755
    assert (source / "closed").stat().st_mode & 0o777 == 0o600
    assert (laid / "closed").stat().st_mtime_ns == (source / "closed").stat().st_mtime_ns


def test_on_another_disk_all_is_copied(source: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == source.stat().st_dev:
            pytest.skip("one disk alone")
        laid = lay_folder(Path(other) / "kind-1", files_of(source)) / "deep"
        assert (laid / "open").read_text() == "open"
        assert not (laid / "open").samefile(source / "open")


def test_what_is_there_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    folder = lay_folder(tmp_path / "kind-1", files_of(source))
    os.utime(folder, (1, 1))
    assert lay_folder(folder, [(source / "no such file", "x")]) == folder
    assert folder.stat().st_mtime > 1


@pytest.mark.parametrize("missing", ["source", "finish"])
def test_what_fails_on_the_way_leaves_nothing(source: Path, tmp_path: Path, missing: str) -> None:
    def finish(whole: Path) -> None:
        assert (whole / "deep" / "open").exists()
        raise FileNotFoundError

    files = [*files_of(source), *([(source / "none", "none")] if missing == "source" else [])]
    with pytest.raises(FileNotFoundError):
        lay_folder(tmp_path / "runtime" / "kind-1", files, finish)
    assert list((tmp_path / "runtime").iterdir()) == []


def test_of_two_at_once_one_wins_and_both_have_it(source: Path, tmp_path: Path) -> None:
    def meanwhile(_: Path) -> None:
        lay_folder(tmp_path / "kind-1", files_of(source))

    folder = lay_folder(tmp_path / "kind-1", files_of(source), meanwhile)
    assert (folder / "deep" / "open").read_text() == "open"
    assert [path.name for path in tmp_path.glob("*kind*")] == ["kind-1"]


def test_other_releases_go_once_nobody_used_them_for_days(source: Path, tmp_path: Path) -> None:
    old, recent, other = (lay_folder(tmp_path / name, []) for name in ("kind-1", "kind-2", "sort-1"))
    long_ago = recent.stat().st_mtime - UNUSED - 60
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    lay_folder(tmp_path / "kind-3", files_of(source))
    assert not old.exists()
    assert recent.exists()
    assert other.exists()
