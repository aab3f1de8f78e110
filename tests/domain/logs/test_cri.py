"""Lines from a runtime's entries: each once, whole, in order, wherever the reading stops."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.logs import cri
from app.domain.logs.blocks import STDOUT, LogBlock
from app.domain.logs.cri import CUT_NOTE, LINE_LIMIT, CriParser, posted_lines
from tests.domain.logs.entries import Entry, Line, lines_of, logs, naive, parse

MIB = 1024 * 1024


def out(*entries: tuple[str, str, bytes]) -> list[str]:
    """The texts of entries given as stream, tag, text."""
    data = b"".join(Entry(n, *entry).raw() for n, entry in enumerate(entries))
    return [text for _, _, text in parse(data)]


@settings(deadline=None)
@given(logs(), st.data())
def test_any_split_and_any_restart_give_the_lines_of_the_whole(
    entries: list[Entry], data: st.DataObject
) -> None:
    raw = b"".join(entry.raw() for entry in entries)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    restarts = data.draw(st.lists(st.booleans(), min_size=len(cuts), max_size=len(cuts)))
    parser = CriParser(1)
    lines: list[Line] = []
    at = 0
    for cut, restart in zip(cuts, restarts, strict=True):
        lines += lines_of(parser.feed(raw[at:cut]))
        at = cut
        if restart:
            parser = CriParser(1, parser.state())
    lines += lines_of(parser.feed(raw[at:]), parser.finish())
    assert lines == naive(entries, LINE_LIMIT)


@settings(deadline=None)
@given(logs(), st.data())
def test_small_limits_change_nothing_about_that(entries: list[Entry], data: st.DataObject) -> None:
    raw = b"".join(entry.raw() for entry in entries)
    size = data.draw(st.integers(1, 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cri, "LINE_LIMIT", 9)
        patch.setattr(cri, "_PIECE", 50)
        patch.setattr(cri, "_TAIL", 60)
        parser = CriParser(1)
        whole = lines_of(parser.feed(raw), parser.finish())
        lines: list[Line] = []
        state = b""
        for at in range(0, len(raw), size):
            parser = CriParser(1, state)
            lines += lines_of(parser.feed(raw[at : at + size]))
            state = parser.state()
        lines += lines_of(CriParser(1, state).finish())
    assert lines == whole
    assert [(stream, time) for stream, time, _ in sorted(whole)] == [
        (stream, time) for stream, time, _ in sorted(naive(entries, 9))
    ]


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_make_it_fail(junk: bytes, size: int) -> None:
    parser = CriParser(1)
    pieces = [parser.feed(junk[at : at + size]) for at in range(0, len(junk), size)]
    assert lines_of(*pieces, parser.finish()) == parse(junk)


def test_a_line_is_what_an_f_entry_holds() -> None:
    assert parse(b"2026-11-24T03:50:22.123456789Z stderr F hello world\n") == [
        ("stderr", "2026-11-24T03:50:22.123456", "hello world")
    ]


@pytest.mark.parametrize(
    ("time", "normal"),
    [
        ("2026-11-24T03:50:22.123456789Z", "2026-11-24T03:50:22.123456"),
        ("2026-11-24T03:50:22.12Z", "2026-11-24T03:50:22.120000"),
        ("2026-11-24T03:50:22Z", "2026-11-24T03:50:22.000000"),
        ("2026-11-24T03:50:22.5+00:00", "2026-11-24T03:50:22.500000"),
        ("2026-11-24T00:50:22.5+02:00", "2026-11-23T22:50:22.500000"),
    ],
)
def test_times_are_utc_with_six_digits(time: str, normal: str) -> None:
    assert parse(f"{time} stdout F x\n".encode()) == [("stdout", normal, "x")]


@pytest.mark.parametrize("time", ["2026-02-31T00:00:00.000000000Z", "0001-01-01T00:00:00+02:00", "yesterday"])
def test_what_has_no_time_is_no_entry_but_a_line_as_it_stands(time: str) -> None:
    before = b"2026-11-24T03:50:22.123456789Z stderr P half\n"
    odd = f"{time} stdout F x"
    assert parse(before + odd.encode() + b"\n") == [
        ("stdout", "2026-11-24T03:50:22.123456", odd),
        ("stderr", "2026-11-24T03:50:22.123456", "half"),
    ]


def test_partial_entries_join_within_their_stream_and_have_the_time_of_the_first() -> None:
    data = b"".join(
        Entry(second, stream, tag, text).raw()
        for second, (stream, tag, text) in enumerate(
            [("stdout", "P", b"a"), ("stderr", "P", b"x"), ("stdout", "F", b"b"), ("stderr", "F", b"y")]
        )
    )
    assert parse(data) == [
        ("stdout", "2026-11-24T03:00:00.123456", "ab"),
        ("stderr", "2026-11-24T03:00:01.123456", "xy"),
    ]


@pytest.mark.parametrize(
    ("entries", "lines"),
    [
        ([("stdout", "F", b"10%\r20%\rdone")], ["10%", "20%", "done"]),
        ([("stdout", "F", b"dos\r"), ("stdout", "F", b"next")], ["dos", "next"]),
        ([("stdout", "P", b"dos\r"), ("stdout", "F", b""), ("stdout", "F", b"")], ["dos", ""]),
        ([("stdout", "P", b"dos\r"), ("stdout", "P", b""), ("stdout", "F", b"x")], ["dos", "x"]),
        ([("stdout", "F", b"a\r\rb")], ["a", "", "b"]),
        ([("stdout", "F", b"a\r\r")], ["a", ""]),
        ([("stdout", "P", b"a\r"), ("stderr", "F", b""), ("stdout", "F", b"")], ["a", ""]),
    ],
)
def test_a_carriage_return_ends_a_line_and_swallows_the_newline_after_it(
    entries: list[tuple[str, str, bytes]], lines: list[str]
) -> None:
    assert out(*entries) == lines


def test_a_progress_bar_is_seen_before_its_line_ends() -> None:
    parser = CriParser(1)
    assert lines_of(parser.feed(Entry(0, "stdout", "P", b"10%\r20").raw()))[0][2] == "10%"
    assert lines_of(parser.feed(Entry(1, "stdout", "P", b"%\r").raw()))[0][2] == "20%"


def test_bytes_that_are_no_text_become_replacement_characters_and_nul_stays() -> None:
    assert out(("stdout", "F", b"a\xff\x00b"), ("stdout", "F", "ü".encode())) == ["a\ufffd\x00b", "ü"]


def test_a_character_may_be_split_between_entries() -> None:
    assert out(("stdout", "P", b"\xe2\x82"), ("stdout", "F", b"\xac")) == ["€"]


def test_what_is_left_at_the_end_is_a_line() -> None:
    assert out(("stderr", "P", b"no newline"), ("stdout", "P", b"prompt> ")) == ["prompt> ", "no newline"]
    assert parse(Entry(0, "stdout", "F", b"torn").raw()[:-1])[0][2] == "torn"


def test_a_line_of_10_mib_is_cut_and_the_lines_after_it_are_whole() -> None:
    part = Entry(0, "stdout", "P", b"x" * 16384).raw() * 640
    data = part + Entry(1, "stdout", "F", b"end").raw() + Entry(2, "stdout", "F", b"next").raw()
    texts = [text for _, _, text in parse(data)]
    assert texts == ["x" * MIB + CUT_NOTE.decode(), "next"]


def test_a_long_line_in_one_entry_is_cut_alike_and_holds_no_more_memory_than_its_beginning() -> None:
    entry = Entry(0, "stdout", "F", b"y" * (10 * MIB)).raw() + Entry(1, "stdout", "F", b"next").raw()
    assert [text for _, _, text in parse(entry)] == ["y" * MIB + CUT_NOTE.decode(), "next"]
    parser = CriParser(1)
    texts = []
    for at in range(0, len(entry), 100_000):
        texts += [text for _, _, text in lines_of(parser.feed(entry[at : at + 100_000]))]
        assert len(parser.state()) < MIB + 200_000
    assert texts == ["y" * MIB + CUT_NOTE.decode(), "next"]


@pytest.mark.parametrize("character", ["é", "€", "𝄞"])
@pytest.mark.parametrize("shift", range(4))
def test_the_cut_never_splits_a_character(character: str, shift: int) -> None:
    text = "x" * shift + character * (MIB // len(character.encode()) + 1)
    (cut,) = out(("stdout", "F", text.encode()))
    kept = cut.removesuffix(CUT_NOTE.decode())
    assert text.startswith(kept)
    assert MIB - 4 < len(kept.encode()) <= MIB


def test_a_line_of_exactly_1_mib_is_whole_and_a_cut_of_bytes_that_are_no_text_stays_bounded() -> None:
    assert out(("stdout", "F", b"x" * MIB)) == ["x" * MIB]
    (cut,) = out(("stdout", "F", b"\x80" * (MIB + 1)))
    assert cut == "\ufffd" * MIB + CUT_NOTE.decode()


def test_the_state_between_whole_lines_is_small() -> None:
    parser = CriParser(1)
    parser.feed(Entry(0, "stdout", "F", b"x" * 1000).raw())
    assert len(parser.state()) < 200


def test_the_usual_case_and_the_careful_one_agree() -> None:
    rng = random.Random(7)
    entries = [
        Entry(
            n % 3600,
            rng.choice(["stdout", "stderr"]),
            "F",
            rng.choice([b"", b"a", b"\xff", b"dos\r", "ü".encode()]),
        )
        for n in range(20_000)
    ]
    parser = CriParser(1)
    block = parser.feed(b"".join(entry.raw() for entry in entries))
    assert lines_of(block) == naive(entries, LINE_LIMIT)


def test_posted_text_becomes_lines_of_stdout_at_one_time() -> None:
    block = posted_lines(
        5, datetime(2026, 1, 2, 3, 4, 5, 6, UTC), ["one\ntwo\r\n", "three", "a\rb", "\ud800"]
    )
    assert [text for _, _, text in lines_of(block)] == ["one", "two", "three", "a", "b", "\ufffd\ufffd\ufffd"]
    assert isinstance(block, LogBlock)
    assert block.jobs == (5,)
    assert set(block.line_times()) == {b"2026-01-02T03:04:05.000006"}
    assert set(block.kinds) == {STDOUT}
