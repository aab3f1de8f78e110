"""Log objects: whole or not there, and any line one read away."""

import errno
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.logs.blocks import LogBlock, concat, select
from app.errors import InsufficientStorage, NotFound
from app.storage import log_objects
from app.storage.log_frames import DamagedLog, encode_frame
from app.storage.log_objects import LocalLogObjects, LogObjectFacts
from tests.domain.logs.test_blocks import Row, at, block_of, rows_lists, rows_of

KEY = "0a" * 16


@pytest.fixture
def store(tmp_path: Path) -> LocalLogObjects:
    return LocalLogObjects(tmp_path / "logs")


def put(store: LocalLogObjects, blocks: Iterable[LogBlock], first: int = 0) -> LogObjectFacts:
    with store.create(KEY) as writer:
        for block in blocks:
            writer.add(first, encode_frame(block))
            first += block.count
        return writer.commit()


def many(lines: int, first: int = 0, width: int = 100) -> LogBlock:
    text = b"".join(b"line %08d %b\n" % (n, b"x" * width) for n in range(first, first + lines))
    times = b"".join(
        b"2026-11-24T03:%02d:%02d.000000" % (n // 60 % 60, n % 60) for n in range(first, first + lines)
    )
    return LogBlock(lines, times, b"o" * lines, text, (1,))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(rows_lists.filter(bool), max_size=8),
    st.integers(0, 5),
    st.integers(0, 40),
    st.sampled_from([None, 1, 2, 9]),
    st.none() | st.integers(0, 10),
    st.integers(0, 20),
)
def test_an_object_gives_back_what_was_chosen_of_its_frames(
    tmp_path: Path,
    lists: list[list[Row]],
    first: int,
    start: int,
    job: int | None,
    since: int | None,
    tail: int,
) -> None:
    store = LocalLogObjects(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_objects, "FRAME_TEXT", 60)
        patch.setattr(log_objects, "FRAME_LINES", 7)
        facts = put(store, map(block_of, lists), first)
    rows = [row for rows in lists for row in rows]
    assert (facts.count, facts.first_seq) == (len(rows), first if rows else 0)
    time = None if since is None else at(since)
    with store.open(KEY) as log:
        assert (log.next_seq, log.size) == (facts.first_seq + len(rows), facts.size)
        read = [
            (seq, row)
            for begin, block in log.blocks(start, job=job, since=time)
            for chosen in [select(block, begin, start=start, job=job, since=time)]
            for seq, row in zip(chosen.seqs, rows_of(chosen.block), strict=True)
        ]
        wanted = [
            (seq, row)
            for seq, row in enumerate(rows, first)
            if (job is None or row.job == job) and (since is None or row.second >= since)
        ]
        assert read == [(seq, row) for seq, row in wanted if seq >= start]
        begin = log.tail_start(tail, job=job, since=time)
        assert [row for seq, row in wanted if seq >= begin] == (
            [row for _, row in wanted][-tail:] if tail else []
        )


def test_frames_are_joined_up_to_one_mebibyte_of_text(store: LocalLogObjects) -> None:
    put(store, (many(100, n * 100) for n in range(300)))
    with store.open(KEY) as log:
        sizes = [len(log.read(place).text) for place in range(len(log.frames))]
        assert len(sizes) < 6
        assert all(900_000 < size <= 1024 * 1024 for size in sizes[:-1])
        assert concat([block for _, block in log.blocks()]).text == many(30_000).text


def test_a_line_is_found_with_one_read(store: LocalLogObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, (many(2000, n * 2000) for n in range(40)))
    with store.open(KEY) as log:
        reads = []
        read = log.read

        def counted(place: int) -> LogBlock:
            reads.append(place)
            return read(place)

        monkeypatch.setattr(log, "read", counted)
        first, block = next(log.blocks(54_321))
        assert block.lines()[54_321 - first].startswith(b"line 00054321 ")
        assert log.tail_start(10) == 79_990
        assert len(reads) == 1


def test_a_stored_log_of_nothing_is_empty(store: LocalLogObjects) -> None:
    assert put(store, []).count == 0
    with store.open(KEY) as log:
        assert (log.first_seq, log.next_seq, list(log.blocks()), log.tail_start(5)) == (0, 0, [], 0)


def test_a_hole_is_an_error_and_leaves_nothing(store: LocalLogObjects, tmp_path: Path) -> None:
    with store.create(KEY) as writer:
        writer.add(0, encode_frame(many(2)))
        with pytest.raises(DamagedLog, match="Line 2 "):
            writer.add(3, encode_frame(many(2)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_there_is_none_before_the_commit_and_another_replaces_it(store: LocalLogObjects) -> None:
    with store.create(KEY) as writer:
        writer.add(0, encode_frame(many(2)))
        with pytest.raises(NotFound):
            store.open(KEY)
        writer.commit()
    with store.open(KEY) as old:
        put(store, [many(5)])
        assert old.next_seq == 2
        assert concat([block for _, block in old.blocks()]).count == 2
    with store.open(KEY) as new:
        assert new.next_seq == 5


def test_who_reads_a_deleted_log_reads_on(store: LocalLogObjects) -> None:
    put(store, [many(5)])
    with store.open(KEY) as log:
        store.delete(KEY)
        store.delete(KEY)
        assert log.read(0).count == 5
    with pytest.raises(NotFound):
        store.open(KEY)


def test_files_are_the_services_alone(store: LocalLogObjects, tmp_path: Path) -> None:
    put(store, [many(5)])
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "logs").rglob("*")}
    assert modes == {0o700, 0o600}


@pytest.mark.parametrize("key", ["../x", "a/b", "", "a", "ü" * 9])
def test_a_key_is_no_path(store: LocalLogObjects, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        store.open(key)


def test_an_object_that_was_cut_or_changed_says_so(store: LocalLogObjects, tmp_path: Path) -> None:
    put(store, [many(3000)])
    (path,) = (tmp_path / "logs").rglob("*.log")
    whole = path.read_bytes()

    def read_all() -> bytes:
        with store.open(KEY) as log:
            return concat([block for _, block in log.blocks()]).text

    assert read_all() == many(3000).text
    for size in (0, 3, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedLog):
            read_all()
    for place in (*range(4, len(whole), len(whole) // 50), *range(len(whole) - 20, len(whole))):
        path.write_bytes(whole[:place] + bytes((whole[place] ^ 0x55,)) + whole[place + 1 :])
        with pytest.raises(DamagedLog):
            read_all()


def test_a_file_that_shrinks_while_it_is_read_says_so(store: LocalLogObjects, tmp_path: Path) -> None:
    put(store, [many(3000)])
    (path,) = (tmp_path / "logs").rglob("*.log")
    with store.open(KEY) as log:
        os.truncate(path, 100)
        with pytest.raises(DamagedLog, match="short"):
            log.read(0)


def test_frames_in_each_others_place_are_noticed(store: LocalLogObjects) -> None:
    put(store, [many(3000), many(1, width=2_000_000)])
    with store.open(KEY) as log:
        log._places.reverse()
        with pytest.raises(DamagedLog, match="index"):
            log.read(0)


def test_a_full_disk_is_a_clear_error_and_leaves_what_was_there(
    store: LocalLogObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, [many(5)])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InsufficientStorage, match="The log can't be stored"):
        put(store, [many(9)])
    monkeypatch.undo()
    with store.open(KEY) as log:
        assert log.next_seq == 5
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_another_error_of_the_disk_stays_what_it_is(
    store: LocalLogObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        put(store, [many(9)])


def test_what_a_dead_writer_left_is_cleaned(store: LocalLogObjects, tmp_path: Path) -> None:
    put(store, [many(5)])
    store.create("ff" * 16)  # never committed, never left
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    store.clean()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.log"]


def test_threads_share_an_open_object(store: LocalLogObjects) -> None:
    put(store, (many(2000, n * 2000) for n in range(20)))
    with store.open(KEY) as log:
        texts: list[bytes] = []

        def read() -> None:
            texts.append(b"".join(block.text for _, block in log.blocks()))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == [many(40_000).text] * 4
