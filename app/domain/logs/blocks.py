"""Log lines as columns: many lines in a few byte strings, so that work on them is per block, not per line."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate, compress

TIME_WIDTH = 26  # 2026-11-24T03:50:22.123456, UTC
STDOUT, STDERR, GAP = b"oeg"  # what stands for a line in `LogBlock.kinds`
STREAMS = {STDOUT: "stdout", STDERR: "stderr"}

# What one stored chunk holds at most; the frames of a finished log have their own limits.
CHUNK_TEXT = 256 * 1024
CHUNK_LINES = 8192


@dataclass(frozen=True, slots=True)
class Gap:
    """That lines were lost: at which line of the block it stands, and between which times (ISO 8601)."""

    line: int
    from_time: str | None
    to_time: str | None


@dataclass(frozen=True, slots=True)
class LogBlock:
    """`count` lines, in order.

    `times` is 26 bytes of ASCII a line, `kinds` one byte (STDOUT, STDERR, GAP), `text` valid UTF-8 with a
    `\\n` after each line and none inside. `jobs` are the ids of those whose lines they are (None: a build's);
    with more than one, `job_index` is an uint32 (little-endian) a line, else it is empty.
    """

    count: int
    times: bytes
    kinds: bytes
    text: bytes
    jobs: tuple[int | None, ...]
    job_index: bytes = b""
    gaps: tuple[Gap, ...] = ()

    def lines(self) -> list[bytes]:
        """The text of each line."""
        return self.text.split(b"\n")[:-1]

    def line_times(self) -> tuple[bytes, ...]:
        """The time of each line, 26 bytes."""
        return struct.unpack(f"{TIME_WIDTH}s" * self.count, self.times)

    def line_jobs(self) -> tuple[int, ...]:
        """For each line, where in `jobs` its job stands."""
        return struct.unpack(f"<{self.count}I", self.job_index) if self.job_index else (0,) * self.count

    def bounds(self) -> tuple[datetime, datetime]:
        """The earliest and the latest time in it. It must not be empty."""
        times = self.line_times()
        return read_time(min(times)), read_time(max(times))

    def slice(self, start: int, stop: int) -> LogBlock:
        """Lines `start` up to `stop` (0 <= start <= stop <= count)."""
        if start == 0 and stop == self.count:
            return self
        begin = line_offset(self.text, start)
        end = len(self.text) if stop == self.count else line_offset(self.text, stop)
        return LogBlock(
            count=stop - start,
            times=self.times[start * TIME_WIDTH : stop * TIME_WIDTH],
            kinds=self.kinds[start:stop],
            text=self.text[begin:end],
            jobs=self.jobs,
            job_index=self.job_index[start * 4 : stop * 4],
            gaps=tuple(replace(g, line=g.line - start) for g in self.gaps if start <= g.line < stop),
        )

    def keep(self, flags: Sequence[object]) -> LogBlock:
        """The lines whose flag is true."""
        lines = list(compress(self.lines(), flags))
        places = list(accumulate(map(bool, flags), initial=0))
        indexes = compress(self.line_jobs(), flags) if self.job_index else ()
        return LogBlock(
            count=len(lines),
            times=b"".join(compress(self.line_times(), flags)),
            kinds=bytes(compress(self.kinds, flags)),
            text=b"".join(line + b"\n" for line in lines),
            jobs=self.jobs,
            job_index=struct.pack(f"<{len(lines)}I", *indexes) if self.job_index else b"",
            gaps=tuple(replace(g, line=places[g.line]) for g in self.gaps if flags[g.line]),
        )


@dataclass(frozen=True, slots=True)
class Numbered:
    """A block and the `seq` of each of its lines."""

    block: LogBlock
    seqs: Sequence[int]


def line_offset(text: bytes, line: int) -> int:
    """Where line `line` begins in text whose every line ends in `\\n`."""
    return sum(map(len, text.split(b"\n", line)[:line])) + line


def time_text(time: datetime) -> bytes:
    """The 26 bytes of an aware datetime."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds").encode()


def read_time(text: bytes) -> datetime:
    """The aware datetime of 26 bytes."""
    return datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)


def gap_block(job: int | None, from_time: datetime, to_time: datetime) -> LogBlock:
    """One gap: lines between the two times may be lost. Its text is what a reader of plain text sees."""
    since, until = (time_text(time).decode() + "+00:00" for time in (from_time, to_time))
    return LogBlock(
        count=1,
        times=time_text(to_time),
        kinds=bytes((GAP,)),
        text=f"[gap: lines between {since} and {until} may be lost]\n".encode(),
        jobs=(job,),
        gaps=(Gap(0, since, until),),
    )


def concat(blocks: Sequence[LogBlock]) -> LogBlock:
    """All their lines in one block. There must be at least one block."""
    if len(blocks) == 1:
        return blocks[0]
    jobs = dict.fromkeys(job for block in blocks for job in block.jobs)
    places = {job: place for place, job in enumerate(jobs)}
    starts = accumulate((block.count for block in blocks), initial=0)
    return LogBlock(
        count=sum(block.count for block in blocks),
        times=b"".join(block.times for block in blocks),
        kinds=b"".join(block.kinds for block in blocks),
        text=b"".join(block.text for block in blocks),
        jobs=tuple(jobs),
        job_index=b"" if len(jobs) == 1 else b"".join(_reindex(block, places) for block in blocks),
        gaps=tuple(
            replace(gap, line=gap.line + start)
            for block, start in zip(blocks, starts, strict=False)
            for gap in block.gaps
        ),
    )


def _reindex(block: LogBlock, places: dict[int | None, int]) -> bytes:
    if len(block.jobs) == 1:
        return struct.pack("<I", places[block.jobs[0]]) * block.count
    table = [places[job] for job in block.jobs]
    return struct.pack(f"<{block.count}I", *map(table.__getitem__, block.line_jobs()))


def regroup(
    blocks: Iterable[LogBlock], text_limit: int = CHUNK_TEXT, line_limit: int = CHUNK_LINES
) -> Iterator[LogBlock]:
    """The same lines in blocks that hold as much as the limits (bytes of text, lines) allow.

    Small ones are joined and large ones cut; a single line over the limit is a block of its own.
    """
    held: list[LogBlock] = []
    text = lines = 0
    for block in blocks:
        for piece in _cut(block, text_limit, line_limit):
            if held and (text + len(piece.text) > text_limit or lines + piece.count > line_limit):
                yield concat(held)
                held, text, lines = [], 0, 0
            held.append(piece)
            text += len(piece.text)
            lines += piece.count
    if held:
        yield concat(held)


def _cut(block: LogBlock, text_limit: int, line_limit: int) -> Iterator[LogBlock]:
    while block.count > line_limit or len(block.text) > text_limit:
        end = block.text.rfind(b"\n", 0, text_limit) + 1
        first = min(block.text.count(b"\n", 0, end) or 1, line_limit)
        if first == block.count:
            break
        yield block.slice(0, first)
        block = block.slice(first, block.count)
    if block.count:
        yield block


def select(
    block: LogBlock,
    first_seq: int,
    *,
    start: int = 0,
    job: int | None = None,
    since: datetime | None = None,
) -> Numbered:
    """The lines of a block (whose first has `first_seq`) from `start` on, of one job, not before a time."""
    skip = min(max(start - first_seq, 0), block.count)
    rest = block.slice(skip, block.count)
    seqs = range(first_seq + skip, first_seq + block.count)
    flags = None
    if job is not None and rest.jobs != (job,):
        place = rest.jobs.index(job) if job in rest.jobs else -1
        flags = [at == place for at in rest.line_jobs()]
    if since is not None:
        least = time_text(since)
        late = [time >= least for time in rest.line_times()]
        flags = late if flags is None else [a and b for a, b in zip(flags, late, strict=True)]
    if flags is None or all(flags):
        return Numbered(rest, seqs)
    return Numbered(rest.keep(flags), list(compress(seqs, flags)))
