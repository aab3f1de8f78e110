"""Outputs as an archive, a listing, single files; whatever is in them and whoever writes to them."""

import asyncio
import gzip
import heapq
import io
import os
import random
import resource
import tarfile
import threading
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.errors import NotFound
from app.storage.beneath import TooDeep
from app.storage.outputs import Outputs
from app.storage.outputs_archive import FileShrank
from tests.storage.test_beneath import nest
from tests.storage.test_thread_streams import read_into, until

KEY = "c0ffee"


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


async def archived(outputs: Outputs) -> tarfile.TarFile:
    pieces = [piece async for piece in outputs.archive(KEY)]
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(b"".join(pieces))))


async def test_an_archive_has_all_by_relative_names(outputs: Outputs, root: Path, tmp_path: Path) -> None:
    (root / "log.txt").chmod(0o4755)
    with await archived(outputs) as archive:
        assert sorted(archive.getnames()) == [
            "empty",
            "latest",
            "log.txt",
            "models",
            "models/best",
            "models/best/weights",
        ]
        member = archive.getmember("log.txt")
        assert (member.mode, member.mtime, member.uid, member.uname) == (0o755, 1_700_000_000, 0, "")
        archive.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out/latest/weights").read_bytes() == b"w" * 700_000
    assert (tmp_path / "out/empty").is_dir()


async def test_the_archive_of_nothing_is_empty(outputs: Outputs, tmp_path: Path) -> None:
    for _ in range(2):
        with await archived(outputs) as archive:
            assert archive.getnames() == []
        (tmp_path / KEY).mkdir(exist_ok=True)


async def test_an_archive_has_no_links_outside_no_pipes_and_any_name(outputs: Outputs, root: Path) -> None:
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "up").symlink_to("../other")
    (root / "absolute").symlink_to(root / "log.txt")
    os.mkfifo(root / "pipe")
    odd = os.fsdecode(b"caf\xe9 \n")
    (root / odd).write_text("odd")
    long = "/".join("n" * 100 for _ in range(5))
    (root / long).mkdir(parents=True)
    with await archived(outputs) as archive:
        names = archive.getnames()
        assert not {"passwd", "up", "pipe"} & set(names)
        assert {odd, long} <= set(names)
        assert archive.getmember("absolute").linkname == "log.txt"


async def test_a_file_that_grows_is_sent_at_its_size_when_opened(outputs: Outputs, root: Path) -> None:
    over = threading.Event()

    def grow() -> None:
        with (root / "log.txt").open("ab", buffering=0) as file:
            while not over.is_set() and file.tell() < 5_000_000:
                file.write(b"x" * 100)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(5):
            with await archived(outputs) as archive:
                file = archive.extractfile("log.txt")
                assert file is not None
                assert set(file.read()[5:]) <= {ord("x")}
                file = archive.extractfile("models/best/weights")
                assert file is not None
                assert file.read() == b"w" * 700_000
    finally:
        over.set()
        thread.join()


async def test_a_file_that_shrinks_breaks_the_transfer(outputs: Outputs, tmp_path: Path) -> None:
    root = tmp_path / KEY
    root.mkdir()
    size = 64 * 1024 * 1024
    with (root / "big").open("wb") as file:
        file.write(random.Random(1).randbytes(size // 8) * 8)
    stream = outputs.archive(KEY)
    got = [await anext(stream)]
    os.truncate(root / "big", size // 2)
    with pytest.raises(FileShrank, match="big"):
        await read_into(got, stream)
    with pytest.raises(EOFError):
        gzip.decompress(b"".join(got))


async def test_folders_without_end_break_the_transfer(outputs: Outputs, tmp_path: Path) -> None:
    nest(tmp_path / KEY, 300)
    with pytest.raises(TooDeep):
        await archived(outputs)


async def test_a_file_that_may_not_be_read_is_left_out_and_said_so(
    not_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (not_root / KEY).mkdir()
    (not_root / KEY / "open").write_text("x")
    (not_root / KEY / "closed").write_text("x")
    (not_root / KEY / "closed").chmod(0o000)
    outputs = Outputs(not_root)
    with await archived(outputs) as archive:
        assert archive.getnames() == ["open"]
    assert "closed" in caplog.text
    with pytest.raises(NotFound):
        outputs.open(KEY, "closed")


async def test_what_is_swapped_while_it_is_archived_never_brings_in_what_is_outside(
    outputs: Outputs, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (root / "log.txt").unlink()
            (root / "log.txt").symlink_to("../secret")
            (root / "log.txt").unlink()
            os.mkfifo(root / "log.txt")
            (root / "log.txt").unlink()
            (root / "log.txt").write_text("hello")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(100):
            with await archived(outputs) as archive:
                if "log.txt" in archive.getnames():
                    file = archive.extractfile("log.txt")
                    assert file is not None
                    assert file.read() in (b"hello", b"")
    finally:
        over.set()
        thread.join()


async def test_an_archive_needs_little_memory_and_waits_for_its_reader(
    outputs: Outputs, tmp_path: Path
) -> None:
    root = tmp_path / KEY
    root.mkdir()
    with (root / "sparse").open("wb") as file:
        file.truncate(1024**3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 0
    async for piece in outputs.archive(KEY):
        size += len(piece)
    assert size > 1_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB


async def test_a_reader_who_goes_leaves_no_thread_and_no_open_file(outputs: Outputs, tmp_path: Path) -> None:
    root = tmp_path / KEY
    root.mkdir()
    with (root / "big").open("wb") as file:
        file.write(os.urandom(32 * 1024 * 1024))

    def held() -> int:
        return sum(os.path.realpath(link).startswith(str(root)) for link in Path("/proc/self/fd").iterdir())

    async with aclosing(outputs.archive(KEY)) as stream:
        await anext(stream)
        assert held() > 0
    await until(lambda: held() == 0)
    await until(lambda: not any(thread.name == "stream" for thread in threading.enumerate()))


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


def test_a_name_that_is_no_text_is_shown_as_near_as_can_be(outputs: Outputs, tmp_path: Path) -> None:
    (tmp_path / KEY).mkdir()
    (tmp_path / KEY / os.fsdecode(b"\xff")).touch()
    assert listed(outputs) == [("\ufffd", 0, False)]


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


async def test_other_work_goes_on_while_an_archive_is_made(outputs: Outputs, tmp_path: Path) -> None:
    root = tmp_path / KEY
    root.mkdir()
    with (root / "sparse").open("wb") as file:
        file.truncate(256 * 1024**2)
    longest = 0.0
    loop = asyncio.get_running_loop()

    async def tick() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)

    ticking = asyncio.create_task(tick())
    async for _ in outputs.archive(KEY):
        pass
    ticking.cancel()
    assert longest < 0.5
