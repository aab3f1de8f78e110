"""Whole folders are deleted and copied whatever is in them."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.disk import delete_tree
from app.errors import InsufficientStorage
from app.storage import trees
from app.storage.beneath import Beneath, Entry, TooDeep
from app.storage.trees import copy_tree
from tests.storage.test_beneath import nest


@pytest.fixture
def few_files() -> Iterator[None]:
    """As few open files as a service under load may have left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/f").write_text("f")
    (root / "run").write_text("#!/bin/sh")
    (root / "run").chmod(0o4755)
    os.utime(root / "run", ns=(1, 1_500_000_000_123_456_789))
    (root / "link").symlink_to("a/b/f")
    (root / "away").symlink_to("/etc")
    (root / "absolute").symlink_to(root / "run")
    (root / "same").hardlink_to(root / "a/b/f")
    os.mkfifo(root / "pipe")
    return root


def test_a_tree_is_deleted_and_what_its_links_lead_to_stays(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("kept")
    (tree / "a/out").symlink_to(tmp_path / "kept")
    delete_tree(tree)
    assert not tree.exists()
    assert (tmp_path / "kept/file").read_text() == "kept"


def test_a_file_a_link_and_nothing_are_deleted_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    for name in ("file", "link", "nothing"):
        delete_tree(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_folders_without_end_are_deleted_with_few_open_files(tmp_path: Path, few_files: None) -> None:
    nest(tmp_path / "deep", 3000)
    delete_tree(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_their_owner_closed_are_deleted(not_root: Path) -> None:
    (not_root / "tree/a/b/c").mkdir(parents=True)
    (not_root / "tree/a/b/c/file").write_text("x")
    for folder in ("tree/a/b/c", "tree/a/b", "tree/a", "tree"):
        (not_root / folder).chmod(0o000)
    delete_tree(not_root / "tree")
    assert list(not_root.iterdir()) == []


def test_who_goes_on_writing_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree/a").mkdir(parents=True)
    rmdir = os.rmdir

    def written_to(path: str, *, dir_fd: int | None = None) -> None:
        (tmp_path / "tree/a/new").touch()
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", written_to)
    with pytest.raises(OSError, match="goes on writing"):
        delete_tree(tmp_path / "tree")


def test_a_copy_has_the_same_files_modes_times_and_inner_links(tree: Path, tmp_path: Path) -> None:
    copy_tree(tree, tmp_path / "copy")
    copy = tmp_path / "copy"
    assert sorted(str(path.relative_to(copy)) for path in copy.rglob("*")) == [
        "a",
        "a/b",
        "a/b/f",
        "absolute",
        "link",
        "run",
        "same",
    ]
    assert (copy / "a/b/f").read_text() == (copy / "same").read_text() == (copy / "link").read_text() == "f"
    assert (copy / "absolute").readlink() == Path("run")
    status = (copy / "run").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o755, 1_500_000_000_123_456_789)
    assert (copy / "same").stat().st_nlink == 1
    assert copy.stat().st_mode & 0o777 == 0o700


def test_a_copy_that_is_there_is_left_alone(tree: Path, tmp_path: Path) -> None:
    copy_tree(tree, tmp_path / "copy")
    (tmp_path / "copy/new").write_text("new")
    copy_tree(tree, tmp_path / "copy")
    assert (tmp_path / "copy/new").read_text() == "new"


def test_a_copy_made_by_another_meanwhile_stays(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile() -> None:
        (tmp_path / "copy").mkdir()
        (tmp_path / "copy/theirs").touch()

    monkeypatch.setattr(os, "sync", meanwhile)
    copy_tree(tree, tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "tree"]
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["theirs"]


def test_a_copy_whose_place_is_taken_by_something_else_is_an_error(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sync", lambda: (tmp_path / "copy").touch())
    with pytest.raises(NotADirectoryError):
        copy_tree(tree, tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "tree"]


def test_what_is_removed_meanwhile_is_left_out_whatever_it_was(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As checkpoints are that give way to newer ones."""
    walk = Beneath.walk

    def meanwhile(origin: Beneath) -> Iterator[Entry]:
        for entry in walk(origin):
            if entry.name in ("a", "run"):
                delete_tree(tree / entry.name)
            yield entry

    monkeypatch.setattr(Beneath, "walk", meanwhile)
    copy_tree(tree, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["absolute", "link", "same"]


def test_a_copy_of_nothing_is_an_empty_folder(tmp_path: Path) -> None:
    copy_tree(tmp_path / "none", tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_file_that_shrinks_is_copied_as_far_as_it_goes(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "big").write_bytes(bytes(100))
    monkeypatch.setattr(trees, "_COPY", 10)
    sendfile = os.sendfile

    def shrinking(out: int, source: int, offset: int | None, count: int) -> int:
        if (tree / "big").stat().st_ino == os.fstat(source).st_ino:
            os.truncate(tree / "big", 25)
        return sendfile(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", shrinking)
    copy_tree(tree, tmp_path / "copy")
    assert (tmp_path / "copy/big").stat().st_size == 25


@pytest.mark.parametrize("written", [[], [0], [1 << 20], [0, 1 << 20, 5 << 20], [(1 << 30) - 1]])
def test_holes_stay_holes(tree: Path, tmp_path: Path, written: list[int]) -> None:
    """As in the files that some databases map: a terabyte long, with little in it."""
    with (tree / "holes").open("wb") as file:
        for place in written:
            file.seek(place)
            file.write(b"x")
        file.truncate(1 << 30)
    copy_tree(tree, tmp_path / "copy")
    with (tmp_path / "copy/holes").open("rb") as copy:
        status = os.fstat(copy.fileno())
        for place in written:
            copy.seek(place)
            assert copy.read(2).rstrip(b"\0") == b"x"
    assert status.st_size == 1 << 30
    assert status.st_blocks <= (tree / "holes").stat().st_blocks + 8


def test_what_is_removed_while_it_is_copied_is_left_out(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20):
        (tree / f"n{n}").write_bytes(b"x")
    sendfile = os.sendfile

    def removing(out: int, source: int, offset: int | None, count: int) -> int:
        for path in tree.glob("n*"):
            path.unlink()
        return sendfile(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", removing)
    copy_tree(tree, tmp_path / "copy")
    assert len(list((tmp_path / "copy").glob("n*"))) <= 1
    assert (tmp_path / "copy/a/b/f").exists() or not (tree / "a").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(out: int, source: int, offset: int | None, count: int) -> int:
        raise OSError(number, "full")

    monkeypatch.setattr(os, "sendfile", full)
    with pytest.raises(InsufficientStorage, match="The outputs can't be copied"):
        copy_tree(tree, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_other_errors_stay_what_they_are_and_leave_nothing(tmp_path: Path) -> None:
    nest(tmp_path / "deep", 300)
    with pytest.raises(TooDeep):
        copy_tree(tmp_path / "deep", tmp_path / "copy")
    (tmp_path / "tree").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        copy_tree(tmp_path / "tree", tmp_path / "file/copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "file", "tree"]
