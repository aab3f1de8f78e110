"""The open logs that are collected: how far each was read, and what of it is to be stored next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.db.logs.writing import NewCursor, NewLines
from app.db.rows import AnyRow
from app.domain.logs.blocks import LogBlock, gap_block
from app.domain.logs.cri import CriParser
from app.domain.logs.owners import LogOwner, of_build, of_experiment
from app.domain.runs import JobRef
from app.launchers.base import LogBytes, LogPosition
from app.services.logs.frames import encode, number

SILENT_BYTES = 1024 * 1024  # that were read without a line in them, before the position is stored


class Source:
    """The log of one job attempt. `position` is how far it was read, `stored` how far it is stored."""

    def __init__(self, stream: "Stream", row: AnyRow) -> None:
        self.stream = stream
        self.ref = read_ref(row.ref)
        self.job = row.job_id
        self.parser = CriParser(row.job_id, row.parser)
        self.position = self.stored = read_position(row.position)
        self.heard_at = 0.0  # loop time of its last news
        self.look_at = 0.0  # loop time before which it need not be looked at


@dataclass
class Stream:
    """A stream that open logs go to. `next_seq` is the number of its next line, unless someone else stores
    lines, too: then nothing is stored, and it is loaded anew."""

    id: int
    owner: LogOwner
    next_seq: int
    sources: dict[JobRef, Source] = field(default_factory=dict)
    added: int = 0  # chunks, since they were compacted


class Sources:
    """All logs that are collected."""

    def __init__(self) -> None:
        self.by_ref: dict[JobRef, Source] = {}
        self.streams: dict[int, Stream] = {}

    def replace(self, rows: Sequence[AnyRow], stream_ids: Iterable[int]) -> None:
        """Take these streams as the rows of `db/logs/cursors.load_open` say, forgetting what was known."""
        for stream_id in stream_ids:
            self.drop_stream(stream_id)
        for row in rows:
            stream = self.streams.get(row.stream_id)
            if stream is None:
                owner = (
                    of_build(row.build_id) if row.experiment_id is None else of_experiment(row.experiment_id)
                )
                stream = self.streams[row.stream_id] = Stream(row.stream_id, owner, row.next_seq)
            source = Source(stream, row)
            stream.sources[source.ref] = self.by_ref[source.ref] = source

    def add(self, rows: Sequence[AnyRow]) -> None:
        """Take in what isn't known yet. A stream that has something new is taken anew as a whole."""
        stream_ids = {row.stream_id for row in rows if read_ref(row.ref) not in self.by_ref}
        self.replace([row for row in rows if row.stream_id in stream_ids], stream_ids)

    def drop_stream(self, stream_id: int) -> None:
        stream = self.streams.pop(stream_id, None)
        for ref in stream.sources if stream is not None else ():
            del self.by_ref[ref]

    def drop(self, ref: JobRef) -> None:
        source = self.by_ref.pop(ref)
        del source.stream.sources[ref]
        if not source.stream.sources:
            del self.streams[source.stream.id]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a source."""

    source: Source
    data: LogBytes


def digest(readings: Sequence[Reading]) -> list[NewLines]:
    """Feed what was read to the parsers; gives what is to be stored, a stream each. Blocking: in a thread."""
    by_stream: dict[int, list[Reading]] = {}
    for reading in readings:
        by_stream.setdefault(reading.source.stream.id, []).append(reading)
    news = [_digest_stream(of_one) for of_one in by_stream.values()]
    return [new for new in news if new is not None]


def _digest_stream(readings: Sequence[Reading]) -> NewLines | None:
    stream = readings[0].source.stream
    blocks = [block for reading in readings for block in _lines(reading)]
    frames = encode(block for block in blocks if block.count)
    count = sum(frame.count for frame in frames)
    cursors = [_cursor(reading) for reading in readings]
    if not count and not any(_is_worth_storing(reading) for reading in readings):
        return None
    return NewLines(stream.id, stream.next_seq, count, number(frames, stream.next_seq), cursors)


def _lines(reading: Reading) -> Iterable[LogBlock]:
    source, data = reading.source, reading.data
    if data.gap is not None:
        yield gap_block(source.job, *data.gap)
    yield source.parser.feed(data.data)
    if data.eof:
        yield source.parser.finish()


def _cursor(reading: Reading) -> NewCursor:
    data = reading.data
    parser = b"" if data.eof else reading.source.parser.state()
    return NewCursor(reading.source.ref.name, write_position(data.end), parser, data.eof)


def _is_worth_storing(reading: Reading) -> bool:
    stored, end = reading.source.stored, reading.data.end
    return reading.data.eof or end.file != stored.file or end.offset - stored.offset >= SILENT_BYTES


def read_ref(name: str) -> JobRef:
    """The job attempt of a name (`JobRef.name`)."""
    uuid, _, attempt = name.rpartition("-")
    return JobRef(uuid, int(attempt))


def read_position(stored: dict[str, Any]) -> LogPosition:
    """A position from its JSON; an empty one is the beginning."""
    time = stored.get("time")
    return LogPosition(
        file=stored.get("file", 0),
        offset=stored.get("offset", 0),
        time=None if time is None else datetime.fromisoformat(time).astimezone(UTC),
        mark=stored.get("mark", ""),
    )


def write_position(position: LogPosition) -> dict[str, object]:
    """A position as JSON."""
    time = None if position.time is None else position.time.isoformat()
    stored: dict[str, object] = {"file": position.file, "offset": position.offset, "time": time}
    return stored | {"mark": position.mark} if position.mark else stored
