"""Which stored pieces a reader needs, against looking at all of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.logs.blocks import LogBlock, select
from app.domain.logs.frames import describe, tail_start
from tests.domain.logs.test_blocks import Row, at, block_of, rows_lists

filters = (st.sampled_from([None, 1, 2, 9]), st.none() | st.integers(0, 10))


@settings(deadline=None)
@given(st.lists(rows_lists.filter(bool), max_size=6), st.integers(0, 40), *filters)
def test_a_tail_begins_where_the_last_n_chosen_lines_begin(
    lists: list[list[Row]], lines: int, job: int | None, since: int | None
) -> None:
    time = None if since is None else at(since)
    stored, seq = [], 0
    chosen: list[int] = []
    for block in map(block_of, lists):
        stored.append((describe(block, seq), block))
        chosen += select(block, seq, job=job, since=time).seqs
        seq += block.count

    def reader(block: LogBlock) -> LogBlock:
        return block

    newest = ((info, lambda block=block: reader(block)) for info, block in reversed(stored))
    start = tail_start(newest, lines, job=job, since=time)
    assert [seq for seq in chosen if seq >= start] == (chosen[-lines:] if lines else [])


@settings(deadline=None)
@given(rows_lists.filter(bool), st.integers(0, 40), *filters)
def test_a_piece_that_may_hold_nothing_holds_nothing(
    rows: list[Row], start: int, job: int | None, since: int | None
) -> None:
    block = block_of(rows)
    info = describe(block, 5)
    time = None if since is None else at(since)
    chosen = select(block, 5, start=start, job=job, since=time)
    assert info.may_hold(start, job, time) or not chosen.seqs
    known = info.known_count(job, time)
    assert known is None or known == len(select(block, 5, job=job, since=time).seqs)


def test_a_tail_whose_place_is_known_reads_nothing() -> None:
    block = block_of([Row(1, 0, "a"), Row(1, 1, "b"), Row(1, 2, "c")])

    def refuse() -> LogBlock:
        raise AssertionError("read for nothing")

    assert tail_start(iter([(describe(block, 0), refuse)]), 2) == 1
    assert tail_start(iter([(describe(block, 0), refuse)]), 9) == 0


def test_pieces_of_very_many_jobs_leave_unsaid_whose_their_lines_are() -> None:
    info = describe(block_of([Row(job, 0, "x") for job in range(65)]), 0)
    assert info.jobs is None
    assert info.may_hold(job=1000)
    assert info.known_count(3, None) is None
