"""Blocks of lines: cut, joined and chosen from, they keep every line as it was."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.logs.blocks import (
    GAP,
    STDERR,
    STDOUT,
    LogBlock,
    concat,
    gap_block,
    line_offset,
    read_time,
    regroup,
    select,
    time_text,
)

START = datetime(2026, 11, 24, 3, 50, 22, 123456, UTC)


@dataclass(frozen=True)
class Row:
    """One line, plainly."""

    job: int | None
    second: int
    text: str
    kind: int = STDOUT


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def block_of(rows: list[Row]) -> LogBlock:
    """The block of rows, made of one block each; of no rows an empty one of job 1."""
    return concat([one(row) for row in rows]) if rows else LogBlock(0, b"", b"", b"", (1,))


def one(row: Row) -> LogBlock:
    if row.kind == GAP:
        return gap_block(row.job, at(row.second - 1), at(row.second))
    return LogBlock(1, time_text(at(row.second)), bytes((row.kind,)), row.text.encode() + b"\n", (row.job,))


def rows_of(block: LogBlock) -> list[Row]:
    """Back again; a gap's place and times must fit its line."""
    gaps = {gap.line: gap for gap in block.gaps}
    rows = []
    columns = zip(block.line_jobs(), block.line_times(), block.lines(), block.kinds, strict=True)
    for line, (job, time, text, kind) in enumerate(columns):
        second = round((read_time(time) - START).total_seconds())
        if kind == GAP:
            gap = gaps.pop(line)
            assert (gap.from_time, gap.to_time) == (at(second - 1).isoformat(), at(second).isoformat())
            rows.append(Row(block.jobs[job], second, "", kind))
        else:
            rows.append(Row(block.jobs[job], second, text.decode(), kind))
    assert not gaps
    return rows


kinds = st.sampled_from([STDOUT, STDOUT, STDERR, GAP])
row = st.builds(
    lambda job, second, text, kind: Row(job, second, "" if kind == GAP else text, kind),
    st.sampled_from([1, 2, 3]),
    st.integers(0, 9),
    st.sampled_from(["", "a", "ü", "longer text", "%d", '","']),
    kinds,
)
rows_lists = st.lists(row, max_size=30)


@settings(deadline=None)
@given(rows_lists)
def test_a_block_of_rows_holds_those_rows(rows: list[Row]) -> None:
    assert rows_of(block_of(rows)) == rows


@settings(deadline=None)
@given(rows_lists, st.data())
def test_a_slice_holds_its_rows(rows: list[Row], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(start, len(rows)))
    assert rows_of(block_of(rows).slice(start, stop)) == rows[start:stop]


@settings(deadline=None)
@given(st.lists(rows_lists, max_size=6), st.integers(1, 60), st.integers(1, 10))
def test_regrouped_rows_are_the_same_in_blocks_within_the_limits(
    lists: list[list[Row]], text_limit: int, line_limit: int
) -> None:
    blocks = list(regroup([block_of(rows) for rows in lists], text_limit, line_limit))
    assert [row for block in blocks for row in rows_of(block)] == [row for rows in lists for row in rows]
    for block in blocks:
        assert 0 < block.count <= line_limit
        assert len(block.text) <= text_limit or block.count == 1


def test_small_blocks_are_joined_until_the_limit() -> None:
    blocks = [block_of([Row(1, n % 10, "123456789")]) for n in range(100)]
    assert [block.count for block in regroup(blocks, text_limit=55)] == [5] * 20
    assert [block.count for block in regroup(blocks, line_limit=30)] == [30, 30, 30, 10]


@settings(deadline=None)
@given(rows_lists, st.integers(0, 40), st.sampled_from([None, 1, 2, 9]), st.none() | st.integers(0, 10))
def test_select_chooses_by_seq_job_and_time(
    rows: list[Row], start: int, job: int | None, since: int | None
) -> None:
    chosen = select(block_of(rows), 5, start=start, job=job, since=None if since is None else at(since))
    expected = [
        (seq, row)
        for seq, row in enumerate(rows, 5)
        if seq >= start and (job is None or row.job == job) and (since is None or row.second >= since)
    ]
    assert list(zip(chosen.seqs, rows_of(chosen.block), strict=True)) == expected


@settings(deadline=None)
@given(rows_lists.filter(bool))
def test_bounds_are_the_earliest_and_the_latest_time(rows: list[Row]) -> None:
    seconds = [row.second for row in rows]
    assert block_of(rows).bounds() == (at(min(seconds)), at(max(seconds)))


def test_times_are_kept_in_utc_to_the_microsecond() -> None:
    east = START.astimezone(datetime.strptime("+0200", "%z").tzinfo)
    assert time_text(east) == b"2026-11-24T03:50:22.123456"
    assert read_time(time_text(east)) == START
    assert time_text(START.replace(microsecond=0)) == b"2026-11-24T03:50:22.000000"


def test_the_offset_of_a_line_counts_bytes() -> None:
    text = "ü\n\nabc\n".encode()
    assert [line_offset(text, line) for line in range(4)] == [0, 3, 4, 8]


def test_a_gap_says_in_its_text_what_may_be_lost() -> None:
    (line,) = gap_block(1, at(0), at(60)).lines()
    assert line == (
        b"[gap: lines between 2026-11-24T03:50:22.123456+00:00"
        b" and 2026-11-24T03:51:22.123456+00:00 may be lost]"
    )


def test_what_is_wholly_chosen_is_not_copied() -> None:
    block = block_of([Row(1, 0, "a"), Row(1, 1, "b")])
    assert select(block, 0, job=1, since=at(0)).block is block


def test_very_many_jobs_in_one_block_stay_apart() -> None:
    rows = [Row(job, 0, str(job)) for job in range(70_000)]
    assert rows_of(block_of(rows))[-1] == Row(69_999, 0, "69999")
