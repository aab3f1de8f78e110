"""What is known of a stored piece of a log without reading it, and which pieces a reader needs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.logs.blocks import LogBlock, select

# Pieces with the lines of more jobs than this don't say how many are whose: an index stays small.
_JOBS_LIMIT = 64

JobCounts = tuple[tuple[int | None, int], ...]


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """Lines `first_seq` up to `next_seq`: their first and last time; how many are whose, None if unsaid."""

    first_seq: int
    count: int
    first_time: datetime
    last_time: datetime
    jobs: JobCounts | None

    @property
    def next_seq(self) -> int:
        return self.first_seq + self.count

    def may_hold(self, start: int = 0, job: int | None = None, since: datetime | None = None) -> bool:
        """Whether a line that `select` would choose may be in it."""
        if self.next_seq <= start or (since is not None and self.last_time < since):
            return False
        return job is None or self.jobs is None or any(job == whose for whose, _ in self.jobs)

    def known_count(self, job: int | None, since: datetime | None) -> int | None:
        """How many lines `select` would choose; None if that takes a look at them."""
        if since is not None and since > self.first_time:
            return None
        if job is None:
            return self.count
        return None if self.jobs is None else dict(self.jobs).get(job, 0)


def describe(block: LogBlock, first_seq: int) -> FrameInfo:
    """The facts of a block, which must not be empty."""
    first, last = block.bounds()
    if len(block.jobs) == 1:
        counts: JobCounts | None = ((block.jobs[0], block.count),)
    elif len(block.jobs) <= _JOBS_LIMIT:
        counts = tuple((block.jobs[place], n) for place, n in sorted(Counter(block.line_jobs()).items()))
    else:
        counts = None
    return FrameInfo(first_seq, block.count, first, last, counts)


def tail_start(
    newest_first: Iterator[tuple[FrameInfo, Callable[[], LogBlock]]],
    lines: int,
    *,
    job: int | None = None,
    since: datetime | None = None,
) -> int:
    """The seq at which the last `lines` lines (of a job, not before a time) begin; 0 if there are fewer.

    Takes what is stored from its end, each with the way to read it, and reads only where it must.
    """
    missing = lines
    for info, read in newest_first:
        if missing <= 0:
            return info.next_seq
        if not info.may_hold(job=job, since=since):
            continue
        known = info.known_count(job, since)
        if known is not None and known < missing:
            missing -= known
            continue
        if job is None and known is not None:
            return info.next_seq - missing
        seqs: Sequence[int] = select(read(), info.first_seq, job=job, since=since).seqs
        if len(seqs) >= missing:
            return seqs[len(seqs) - missing]
        missing -= len(seqs)
    return 0
