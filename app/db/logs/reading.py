"""What readers ask: how far a log is, and its stored lines from a cursor or from its end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.rows import AnyRow
from app.db.tables import Build, Experiment, Job, LogChunk, LogCursor, LogStream, Project
from app.domain.lifecycle import DONE
from app.domain.logs.owners import LogOwner, OwnerKind

_DONE = [status.value for status in DONE]


def _state(owner: LogOwner) -> Select[*tuple[Any, ...]]:
    """How far it is: stream_id (null: no line yet), next_seq, object, uuid, status, `complete`: no line will
    come any more; `borrowed`: it is another build's, for which this one waits; owner_id, is_public."""
    table: type[Experiment] | type[Build] = Experiment if owner.kind is OwnerKind.EXPERIMENT else Build
    opened = exists().where(LogCursor.stream_id == LogStream.id, ~LogCursor.eof)
    query = (
        select(
            LogStream.id.label("stream_id"),
            func.coalesce(LogStream.next_seq, 0).label("next_seq"),
            LogStream.object,
            table.uuid,
            table.status,
            and_(table.status.in_(_DONE), ~opened).label("complete"),
            (Build.leader_id.is_not(None) if table is Build else ~true()).label("borrowed"),
            Project.owner_id,
            Project.is_public,
        )
        .join(Project, Project.id == table.project_id)
        .where(table.id == owner.id, Project.deleted_at.is_(None))
    )
    if table is Experiment:
        return query.outerjoin(LogStream, LogStream.experiment_id == Experiment.id).where(
            Experiment.deleted_at.is_(None)
        )
    return query.outerjoin(LogStream, LogStream.build_id == func.coalesce(Build.leader_id, Build.id))


async def find_state(session: AsyncSession, owner: LogOwner) -> AnyRow | None:
    """How far a log is (see `_state`); None when its owner is deleted."""
    return (await session.execute(_state(owner))).one_or_none()


async def find_chunks(
    session: AsyncSession,
    owner: LogOwner,
    cursor: int,
    *,
    limit: int,
    job: int | None = None,
    since: datetime | None = None,
) -> Sequence[AnyRow]:
    """How far a log is, and of the same moment its first `limit` chunks that hold line `cursor` or later
    ones (of the job, not before the time): first_seq, data, both null in an only row when there are none.
    """
    before = aliased(LogChunk)
    begin = (
        select(func.max(before.first_seq))
        .where(before.stream_id == LogStream.id, before.first_seq <= cursor)
        .correlate(LogStream)
        .scalar_subquery()
    )
    query = select(LogChunk.first_seq, LogChunk.data).where(
        LogChunk.stream_id == LogStream.id,
        LogChunk.first_seq >= func.coalesce(begin, 0),
        LogChunk.last_seq >= cursor,
    )
    if job is not None:
        query = query.where(LogChunk.jobs.contains([job]))
    if since is not None:
        query = query.where(LogChunk.last_time >= since)
    chunk = query.correlate(LogStream).order_by(LogChunk.first_seq).limit(limit).lateral("chunk")
    statement = _state(owner).add_columns(chunk.c.first_seq, chunk.c.data).outerjoin(chunk, true())
    return (await session.execute(statement.order_by(chunk.c.first_seq))).all()


async def find_newest_chunks(
    session: AsyncSession,
    stream_id: int,
    before: int,
    *,
    limit: int,
    job: int | None = None,
    since: datetime | None = None,
) -> Sequence[AnyRow]:
    """The last chunks that begin before line `before`, newest first: first_seq, data."""
    query = select(LogChunk.first_seq, LogChunk.data).where(
        LogChunk.stream_id == stream_id, LogChunk.first_seq < before
    )
    if job is not None:
        query = query.where(LogChunk.jobs.contains([job]))
    if since is not None:
        query = query.where(LogChunk.last_time >= since)
    return (await session.execute(query.order_by(LogChunk.first_seq.desc()).limit(limit))).all()


async def find_labels(session: AsyncSession, experiment_id: int) -> Sequence[AnyRow]:
    """What lines say of an experiment's jobs: id, role, place (its index)."""
    query = select(Job.id, Job.role, Job.index.label("place")).where(Job.experiment_id == experiment_id)
    return (await session.execute(query)).all()
