"""A pod's log comes as bytes of any size, and again from a whole second on; each line is given out once."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.logs.cri import CriParser
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.entries import Lines
from app.launchers.kubernetes.marks import Mark, read_mark

SECOND = "2026-03-01T10:00:0{}.{:09d}Z"


def line(second: int, nanosecond: int, text: str) -> bytes:
    return f"{SECOND.format(second, nanosecond)} {text}\n".encode()


def texts(entries: bytes) -> list[str]:
    parser = CriParser(None)
    block = parser.feed(entries)
    return (block.text + parser.finish().text).decode().splitlines()


def fed(lines: Lines, data: bytes, *, sizes: int | None = None) -> bytes:
    """All that comes out of `data`, fed in pieces of random size."""
    out, random_ = b"", random.Random(sizes)
    while data:
        size = random_.randint(1, 50) if sizes is not None else len(data)
        batch = lines.feed(data[:size])
        data = data[size:]
        out += batch.data if batch else b""
    return out


LOG = b"".join(line(i // 4, i % 4, f"line {i}") for i in range(20))


@pytest.mark.parametrize("seed", range(5))
def test_every_line_comes_once_however_the_bytes_are_cut(seed: int) -> None:
    assert texts(fed(Lines(None), LOG, sizes=seed)) == [f"line {i}" for i in range(20)]


@pytest.mark.parametrize("read", range(1, 20))
def test_reading_goes_on_behind_the_mark_in_an_answer_from_its_second_on(read: int) -> None:
    all_lines = LOG.splitlines(keepends=True)
    first = Lines(None)
    first.feed(b"".join(all_lines[:read]))
    assert first.mark is not None
    mark = read_mark(first.mark.text())
    assert mark == first.mark
    assert mark is not None
    again = [text for text in all_lines if text.decode() >= mark.second[:-1]]
    second = Lines(mark)
    assert texts(fed(second, b"".join(again), sizes=read)) == [f"line {i}" for i in range(read, 20)]
    assert not second.searching


def test_equal_lines_of_one_time_are_no_doubles() -> None:
    equal = line(1, 5, "same")
    first = Lines(None)
    first.feed(equal)
    first.feed(equal)
    assert first.mark is not None
    assert first.mark.ordinal == 2
    assert texts(fed(Lines(first.mark), 5 * equal)) == 3 * ["same"]


def test_lines_out_of_their_times_order_are_not_lost() -> None:
    late = [line(1, 900, "a"), line(2, 5, "b"), line(1, 950, "c"), line(2, 6, "d")]
    first = Lines(None)
    first.feed(b"".join(late[:2]))
    assert texts(fed(Lines(first.mark), b"".join([late[1], late[3]]))) == ["d"]
    first.feed(late[2])
    assert first.mark is not None
    assert first.mark.second.endswith("10:00:01Z")
    assert texts(fed(Lines(first.mark), b"".join(late))) == ["d"]


class TestTheMarksLineIsGone:
    """Its file was rotated away: what came between may be lost, and that is said."""

    MARK = Mark(SECOND.format(1, 7).encode(), 1, 1)

    def test_clearly_newer_lines_show_it(self) -> None:
        lines = Lines(self.MARK)
        assert lines.feed(line(2, 0, "x")) is None
        assert not lines.overdue
        assert lines.past
        assert lines.feed(line(4, 0, "y")) is None
        assert lines.overdue

    def test_older_ones_do_not_since_it_may_come_yet(self) -> None:
        """As in a stream that was left or cut before it came that far."""
        lines = Lines(self.MARK)
        lines.feed(line(1, 0, "x") + line(1, 3, "y"))
        assert not lines.past
        assert not lines.overdue

    def test_they_are_given_out_with_the_gap_before_them(self) -> None:
        lines = Lines(self.MARK)
        lines.feed(line(3, 0, "x") + line(4, 0, "y"))
        batch = lines.give_up()
        assert batch is not None
        assert texts(batch.data) == ["x", "y"]
        at = datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC)
        assert batch.lost == (at, at.replace(second=3))
        assert texts(fed(lines, line(5, 0, "z"))) == ["z"]

    def test_nothing_there_is_no_gap(self) -> None:
        assert Lines(self.MARK).give_up() is None


class TestALongLineWithoutItsEnd:
    TEXT = "x" * 200_000

    def test_it_comes_in_parts_and_is_one_line(self) -> None:
        data = line(1, 0, self.TEXT) + line(1, 1, "after")
        lines = Lines(None)
        assert texts(fed(lines, data[:150_000]) + fed(lines, data[150_000:])) == [self.TEXT, "after"]

    @pytest.mark.parametrize("ended", [True, False], ids=["ended meanwhile", "not ended yet"])
    def test_reading_goes_on_inside_it(self, ended: bool) -> None:
        data = line(1, 0, self.TEXT)
        first = Lines(None)
        begun = fed(first, data[:150_000])
        assert first.mark is not None
        assert first.mark.inside > 0
        second = Lines(read_mark(first.mark.text()))
        rest = fed(second, data) if ended else fed(second, data[:180_000]) + fed(second, data[180_000:])
        assert texts(begun + rest) == [self.TEXT]
        whole = Lines(None)
        whole.feed(data)
        assert second.mark is not None
        assert whole.mark is not None
        assert (second.mark.time, second.mark.crc, second.mark.inside) == (
            *(whole.mark.time, whole.mark.crc),
            -1,
        )


class TestTheWrappersEnd:
    """It is on both streams, behind what the command printed on each."""

    END = end_line("ada-1")
    DATA = b"".join(
        line(1, n, text) for n, text in enumerate(["a", "b", END, "", f"an error{END}", "by a child"])
    )

    @pytest.mark.parametrize("seed", range(5))
    def test_it_is_counted_and_no_line(self, seed: int) -> None:
        lines = Lines(None, self.END)
        assert texts(fed(lines, self.DATA, sizes=seed)) == ["a", "b", "", "an error", "by a child"]
        assert lines.mark is not None
        assert lines.mark.ends == 2

    @pytest.mark.parametrize(("read", "ends"), [(2, 0), (3, 1), (4, 1), (5, 2)])
    def test_a_position_behind_one_of_them_knows_it(self, read: int, ends: int) -> None:
        all_lines = self.DATA.splitlines(keepends=True)
        first = Lines(None, self.END)
        first.feed(b"".join(all_lines[:read]))
        assert first.mark is not None
        assert first.mark.ends == ends
        second = Lines(read_mark(first.mark.text()), self.END)
        second.feed(self.DATA)
        assert second.mark is not None
        assert second.mark.ends == 2

    def test_it_alone_moves_the_position(self) -> None:
        """It is the last line that there is."""
        batch = Lines(None, self.END).feed(line(1, 0, self.END))
        assert batch is not None
        assert batch.data == b""
        assert batch.mark is not None

    def test_anothers_is_a_line(self) -> None:
        """Also this one's with more behind it."""
        printed = [end_line("ada-2"), f"{self.END}.", self.END[1:]]
        lines = Lines(None, self.END)
        assert texts(fed(lines, b"".join(line(1, n, text) for n, text in enumerate(printed)))) == printed

    @pytest.mark.parametrize("cut", [1, 30, 60])
    def test_it_may_end_a_long_line_that_is_given_out_in_parts(self, cut: int) -> None:
        text = "x" * 100_000
        data = line(1, 0, text + self.END)
        lines = Lines(None, self.END)
        begun = fed(lines, data[:-cut])
        assert begun
        assert lines.mark is not None
        again = Lines(read_mark(lines.mark.text()), self.END)
        for following in (lines, again):
            assert texts(begun + fed(following, data[-cut:] if following is lines else data)) == [text]
            assert following.mark is not None
            assert following.mark.ends == 1

    def test_it_is_counted_among_what_is_there_after_a_loss(self) -> None:
        lines = Lines(replace(TestTheMarksLineIsGone.MARK, ends=1), self.END)
        lines.feed(line(3, 0, "x") + line(3, 1, self.END))
        batch = lines.give_up()
        assert batch is not None
        assert texts(batch.data) == ["x"]
        assert batch.mark is not None
        assert batch.mark.ends == 2

    def test_positions_of_earlier_versions_have_none(self) -> None:
        assert read_mark(f"{SECOND.format(1, 7)} 0000002a 3 -1") == Mark(SECOND.format(1, 7).encode(), 42, 3)


def test_what_the_kubelet_says_itself_is_no_line() -> None:
    said = b"unable to retrieve container logs for containerd://abc\n"
    assert Lines(None).feed(said) is None
    assert texts(fed(Lines(None), said + line(1, 0, "a"))) == ["a"]


def test_a_last_line_without_its_end_is_a_line() -> None:
    lines = Lines(None)
    assert lines.feed(line(1, 0, "last")[:-1]) is None
    batch = lines.finish()
    assert batch is not None
    assert texts(batch.data) == ["last"]
    assert lines.finish() is None
