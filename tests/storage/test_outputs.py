"""Outputs as a listing and as single files, and how they are copied and deleted."""

import heapq
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NotFound
from app.storage.output_names import read_name, write_name
from app.storage.outputs import Outputs
from app.storage.outputs_archive import FileShrank
from tests.storage.conftest import KEY


def listed(
    outputs: Outputs, path: str = "", offset: int = 0, limit: int = 100
) -> list[tuple[str, int, bool]]:
    page = outputs.list(KEY, path, offset=offset, limit=limit)
    return [(entry.path, entry.size, entry.is_dir) for entry in page.entries]


def test_a_folder_is_listed_by_name(outputs: Outputs, root: Path) -> None:
    assert listed(outputs) == [
        ("empty", 0, True),
        ("latest", 0, True),
        ("log.txt", 5, False),
        ("models", 0, True),
    ]
    assert listed(outputs, "models/best") == [("models/best/weights", 700_000, False)]
    assert listed(outputs, "/models//best/") == [("models/best/weights", 700_000, False)]
    assert listed(outputs, "latest") == [("latest/weights", 700_000, False)]
    (entry,) = outputs.list(KEY, "", offset=2, limit=1).entries
    assert entry.modified_at == datetime.fromtimestamp(1_700_000_000.25, UTC)


def test_what_goes_while_it_is_listed_is_not_shown(
    outputs: Outputs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removing(count: int, names: Iterator[str]) -> list[str]:
        found = sorted(names)[:count]
        (root / "log.txt").unlink()
        return found

    monkeypatch.setattr(heapq, "nsmallest", removing)
    assert [path for path, _, _ in listed(outputs)] == ["empty", "latest", "models"]


def test_a_listing_has_pages_and_counts_all(outputs: Outputs, tmp_path: Path) -> None:
    (tmp_path / KEY).mkdir()
    for n in random.Random(3).sample(range(50), 50):
        (tmp_path / KEY / f"{n:02}").touch()
    page = outputs.list(KEY, "", offset=10, limit=5)
    assert (page.count, [entry.path for entry in page.entries]) == (50, ["10", "11", "12", "13", "14"])
    assert outputs.list(KEY, "", offset=60, limit=5).entries == []


def test_what_leads_outside_or_is_no_file_is_not_shown(outputs: Outputs, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    (root / "out").symlink_to("../secret")
    (root / "broken").symlink_to("nothing")
    os.mkfifo(root / "pipe")
    (root / "in").symlink_to("log.txt")
    assert [path for path, _, _ in listed(outputs)] == ["empty", "in", "latest", "log.txt", "models"]
    assert outputs.list(KEY, "", offset=0, limit=1).count == 5


@given(st.lists(st.binary(min_size=1, max_size=12) | st.text("\ufffde9ab", min_size=1), max_size=20))
def test_no_two_names_are_written_alike_and_each_is_read_back(names: list[bytes | str]) -> None:
    raw = {os.fsencode(name) for name in names}
    written = {write_name(os.fsdecode(name)) for name in raw}
    assert len(written) == len(raw)
    assert {os.fsencode(read_name(text.encode().decode())) for text in written} == raw


@pytest.mark.parametrize("seconds", [-(10**11), -1, 10**12])
def test_no_time_is_too_odd_to_be_listed(outputs: Outputs, tmp_path: Path, seconds: int) -> None:
    (tmp_path / KEY).mkdir()
    (tmp_path / KEY / "f").touch()
    os.utime(tmp_path / KEY / "f", (seconds, seconds))
    assert outputs.list(KEY, "", offset=0, limit=1).entries[0].modified_at.tzinfo is UTC


def test_before_anything_is_there_the_outer_folder_is_empty(outputs: Outputs) -> None:
    for path in ("", "/"):
        assert outputs.list(KEY, path, offset=0, limit=10).count == 0


@pytest.mark.parametrize("path", ["nothing", "..", "log.txt", "models/best/weights", "../x", "a\0b"])
def test_only_folders_inside_are_listed(outputs: Outputs, root: Path, path: str) -> None:
    with pytest.raises(NotFound):
        outputs.list(KEY, path, offset=0, limit=10)


@pytest.mark.parametrize("path", ["nothing", "..", "", "models", "latest", "../secret", "passwd", "a\0b"])
def test_only_files_inside_are_opened(outputs: Outputs, root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").touch()
    (root / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(NotFound):
        outputs.open(KEY, path)


async def test_a_file_is_sent_whole_or_in_part(outputs: Outputs, root: Path) -> None:
    with (root / "numbers").open("wb") as file:
        file.write(bytes(range(256)) * 10_000)
    whole = (root / "numbers").read_bytes()
    file_ = outputs.open(KEY, "numbers")
    assert (file_.size, file_.name) == (len(whole), "numbers")
    assert b"".join([piece async for piece in file_.stream()]) == whole
    part = outputs.open(KEY, "latest/weights")
    assert b"".join([piece async for piece in part.stream(699_990, 699_995)]) == b"wwwww"
    with outputs.open(KEY, "log.txt") as small:
        assert small.read(1, 3) == b"ell"
        small.close()


async def test_a_file_is_sent_at_its_size_when_opened_and_breaks_off_when_it_shrinks(
    outputs: Outputs, root: Path
) -> None:
    grows = outputs.open(KEY, "log.txt")
    with (root / "log.txt").open("a") as file:
        file.write(" and more")
    assert b"".join([piece async for piece in grows.stream()]) == b"hello"
    shrinks = outputs.open(KEY, "log.txt")
    os.truncate(root / "log.txt", 2)
    with pytest.raises(FileShrank):
        [piece async for piece in shrinks.stream()]


def test_outputs_are_copied_and_deleted(outputs: Outputs, root: Path, tmp_path: Path) -> None:
    outputs.copy(KEY, "beef")
    outputs.delete(KEY)
    outputs.delete(KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["beef"]
    assert (tmp_path / "beef/log.txt").read_text() == "hello"


def test_what_a_dead_service_left_half_copied_or_deleted_goes_when_it_is_done_again(
    outputs: Outputs, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("app.storage.trees.delete_tree", die)
    monkeypatch.setattr(os, "sendfile", die)
    with pytest.raises(Killed):
        outputs.copy(KEY, "beef")
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.undo()
    outputs.copy(KEY, "beef")
    assert {path.name for path in tmp_path.iterdir()} == {KEY, "beef"}

    monkeypatch.setattr("app.storage.trees.delete_tree", die)
    with pytest.raises(Killed):
        outputs.delete(KEY)
    assert not (tmp_path / KEY).exists()
    monkeypatch.undo()
    outputs.delete(KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["beef"]


def test_a_copy_whose_target_is_deleted_meanwhile_takes_no_place(
    outputs: Outputs, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = os.sendfile

    def delete_first(*arguments: Any) -> int:
        outputs.delete("beef")
        return send(*arguments)

    monkeypatch.setattr(os, "sendfile", delete_first)
    with pytest.raises(FileNotFoundError):
        outputs.copy(KEY, "beef")
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_key_is_no_path(outputs: Outputs) -> None:
    for key in ("../x", "", "a/b", "."):
        with pytest.raises(ValueError, match="key"):
            outputs.path(key)
