"""Where lines are stored: the collector's, with their cursors, and those that trackers post."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import LogChunk, LogStream


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A frame and what its row says of it. `jobs` are the ids of those whose lines it holds."""

    first_seq: int
    last_seq: int
    first_time: datetime
    last_time: datetime
    jobs: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class NewCursor:
    """How far a job attempt's log is stored with the chunks beside it."""

    ref: str
    position: Mapping[str, object]
    parser: bytes
    eof: bool


@dataclass(frozen=True, slots=True)
class NewLines:
    """What is stored of one stream at once: `count` lines from `first_seq` on, where it must stand."""

    stream_id: int
    first_seq: int
    count: int
    chunks: Sequence[NewChunk]
    cursors: Sequence[NewCursor]


_STORE = text("""
WITH moved AS (
    UPDATE log_streams s SET next_seq = s.next_seq + g.count
    FROM unnest(CAST(:streams AS bigint[]), CAST(:expected AS bigint[]), CAST(:counts AS bigint[]))
        AS g(id, expected, count)
    WHERE s.id = g.id AND s.next_seq = g.expected AND NOT s.complete
    RETURNING s.id
), chunks AS (
    INSERT INTO log_chunks (stream_id, first_seq, last_seq, first_time, last_time, jobs, data)
    SELECT c.id, c.first_seq, c.last_seq, c.first_time, c.last_time,
        CAST(string_to_array(c.jobs, ',') AS bigint[]), c.data
    FROM unnest(
        CAST(:chunk_streams AS bigint[]), CAST(:first_seqs AS bigint[]), CAST(:last_seqs AS bigint[]),
        CAST(:first_times AS timestamptz[]), CAST(:last_times AS timestamptz[]),
        CAST(:jobs AS text[]), CAST(:data AS bytea[])
    ) AS c(id, first_seq, last_seq, first_time, last_time, jobs, data)
    JOIN moved ON moved.id = c.id
), cursors AS (
    UPDATE log_cursors k SET position = n.position, parser = n.parser, eof = n.eof
    FROM unnest(
        CAST(:cursor_streams AS bigint[]), CAST(:refs AS text[]), CAST(CAST(:positions AS text[]) AS jsonb[]),
        CAST(:parsers AS bytea[]), CAST(:eofs AS boolean[])
    ) AS n(id, ref, position, parser, eof)
    JOIN moved ON moved.id = n.id
    WHERE k.ref = n.ref AND NOT k.eof
)
SELECT id FROM moved
""")


async def store(session: AsyncSession, news: Sequence[NewLines]) -> set[int]:
    """Store lines of several streams with their cursors, in one statement.

    Gives the ids of the streams that stood where they were expected; of the others nothing is stored:
    someone else stored lines meanwhile, or the stream is complete or gone.
    """
    chunks = [(new.stream_id, chunk) for new in news for chunk in new.chunks]
    cursors = [(new.stream_id, cursor) for new in news for cursor in new.cursors]
    values: dict[str, Any] = {
        "streams": [new.stream_id for new in news],
        "expected": [new.first_seq for new in news],
        "counts": [new.count for new in news],
        "chunk_streams": [stream for stream, _ in chunks],
        "first_seqs": [chunk.first_seq for _, chunk in chunks],
        "last_seqs": [chunk.last_seq for _, chunk in chunks],
        "first_times": [chunk.first_time for _, chunk in chunks],
        "last_times": [chunk.last_time for _, chunk in chunks],
        "jobs": [",".join(map(str, chunk.jobs)) for _, chunk in chunks],
        "data": [chunk.data for _, chunk in chunks],
        "cursor_streams": [stream for stream, _ in cursors],
        "refs": [cursor.ref for _, cursor in cursors],
        "positions": [orjson.dumps(dict(cursor.position)).decode() for _, cursor in cursors],
        "parsers": [cursor.parser for _, cursor in cursors],
        "eofs": [cursor.eof for _, cursor in cursors],
    }
    return set((await session.execute(_STORE, values)).scalars())


async def advance(session: AsyncSession, experiment_id: int, count: int) -> tuple[int, int]:
    """Take `count` numbers of an experiment's stream, which is made if need be and stays locked until the
    transaction ends. Gives its id and the first number."""
    statement = upsert(LogStream).values(experiment_id=experiment_id, next_seq=count, complete=False)
    statement = statement.on_conflict_do_update(
        index_elements=[LogStream.experiment_id], set_={"next_seq": LogStream.next_seq + count}
    )
    row = (await session.execute(statement.returning(LogStream.id, LogStream.next_seq))).one()
    return row.id, row.next_seq - count


async def add_chunks(session: AsyncSession, stream_id: int, chunks: Sequence[NewChunk]) -> None:
    """Insert chunks, at least one, whose numbers are taken."""
    rows = [
        {
            "stream_id": stream_id,
            "first_seq": chunk.first_seq,
            "last_seq": chunk.last_seq,
            "first_time": chunk.first_time,
            "last_time": chunk.last_time,
            "jobs": list(chunk.jobs),
            "data": chunk.data,
        }
        for chunk in chunks
    ]
    await session.execute(insert(LogChunk), rows)
