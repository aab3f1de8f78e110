"""Cursors: which attempts' logs are still open, and how far each is stored."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, Job, LogCursor, LogStream
from app.domain.lifecycle import DONE
from app.domain.logs.owners import OwnerKind

_DONE = [status.value for status in DONE]


async def find_or_add_streams(session: AsyncSession, kind: OwnerKind, ids: Collection[int]) -> dict[int, int]:
    """The ids of the streams of these owners, at least one, by theirs; those that are not there are made."""
    column: Any = LogStream.experiment_id if kind is OwnerKind.EXPERIMENT else LogStream.build_id
    rows = [{column.key: owner_id, "next_seq": 0, "complete": False} for owner_id in sorted(ids)]
    # Those that are there are not locked: whoever stores lines holds several, in any order.
    await session.execute(upsert(LogStream).on_conflict_do_nothing(index_elements=[column]), rows)
    query = select(column, LogStream.id).where(column == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    found = await session.execute(query, {"ids": list(ids)})
    return {row[0]: row[1] for row in found}


async def add(session: AsyncSession, jobs: Iterable[tuple[int, str, int | None]]) -> None:
    """Open the logs of these job attempts, at least one (their streams, names, and the jobs' ids); those that
    are there stay."""
    rows: list[dict[str, object]] = [
        {"ref": ref, "stream_id": stream_id, "job_id": job, "position": {}, "parser": b"", "eof": False}
        for stream_id, ref, job in jobs
    ]
    await session.execute(upsert(LogCursor).on_conflict_do_nothing(), rows)


async def load_open(session: AsyncSession, stream_ids: Sequence[int] | None = None) -> Sequence[AnyRow]:
    """The open logs, all or those of these streams: ref, job_id, position, parser, stream_id, and of their
    streams next_seq, experiment_id, build_id."""
    query = (
        select(
            LogCursor.ref,
            LogCursor.job_id,
            LogCursor.position,
            LogCursor.parser,
            LogCursor.stream_id,
            LogStream.next_seq,
            LogStream.experiment_id,
            LogStream.build_id,
        )
        .join(LogStream, LogStream.id == LogCursor.stream_id)
        .where(~LogCursor.eof)
        .order_by(LogCursor.ref)
    )
    if stream_ids is not None:
        query = query.where(LogCursor.stream_id.in_(stream_ids))
    return (await session.execute(query)).all()


async def find_over(session: AsyncSession) -> list[str]:
    """The open logs of attempts that are over: their job or build is done, or at a newer attempt."""
    attempt = cast(func.split_part(LogCursor.ref, "-", 2), BigInteger)
    query = (
        select(LogCursor.ref)
        .join(LogStream, LogStream.id == LogCursor.stream_id)
        .outerjoin(Job, Job.id == LogCursor.job_id)
        .outerjoin(Build, Build.id == LogStream.build_id)
        .where(
            ~LogCursor.eof,
            or_(
                func.coalesce(Job.status, Build.status).in_(_DONE),
                func.coalesce(Job.attempt, Build.attempt) > attempt,
            ),
        )
    )
    return list((await session.execute(query)).scalars())


async def awaits_lines(session: AsyncSession, stream_id: int, job_id: int) -> bool:
    """Whether a job is done and the log of one of its attempts is open."""
    query = (
        select(LogCursor.ref)
        .join(Job, Job.id == LogCursor.job_id)
        .where(LogCursor.stream_id == stream_id, Job.id == job_id, Job.status.in_(_DONE), ~LogCursor.eof)
    )
    return (await session.execute(query.limit(1))).one_or_none() is not None


async def close(session: AsyncSession, refs: Sequence[str]) -> list[int]:
    """Nothing more comes of these logs; gives the ids of their streams."""
    statement = update(LogCursor).where(LogCursor.ref.in_(refs), ~LogCursor.eof).values(eof=True)
    return list((await session.execute(statement.returning(LogCursor.stream_id))).scalars())
