"""From done to complete, when every line is stored, and from chunks to the one object of a finished log."""

from collections.abc import Sequence

from sqlalchemy import Update, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, Experiment, LogChunk, LogCursor, LogStream
from app.domain.logs.owners import OwnerKind

_TABLES: dict[OwnerKind, type[Experiment] | type[Build]] = {
    OwnerKind.EXPERIMENT: Experiment,
    OwnerKind.BUILD: Build,
}
_OF_OWNER = {OwnerKind.EXPERIMENT: LogStream.experiment_id, OwnerKind.BUILD: LogStream.build_id}


def _mark(kind: OwnerKind) -> Update:
    """Made once for each kind: it is asked several times a second."""
    table = _TABLES[kind]
    opened = exists().where(_OF_OWNER[kind] == table.id, LogCursor.stream_id == LogStream.id, ~LogCursor.eof)
    due = (
        select(table.id)
        .where(table.collected_at.is_(None), table.finished_at.is_not(None), ~opened)
        .order_by(table.id)
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True)
    )
    return (
        update(table)
        .where(table.id.in_(due.scalar_subquery()))
        .values(collected_at=func.clock_timestamp())
        .returning(table.id)
    )


_MARK = {kind: _mark(kind) for kind in OwnerKind}


async def mark_collected(session: AsyncSession, kind: OwnerKind, limit: int) -> list[int]:
    """Set `collected_at` of those that are done and have no open log, their streams `complete`, and remove
    their cursors; gives the ids."""
    ids = list((await session.execute(_MARK[kind], {"at_most": limit})).scalars())
    if ids:
        streams = update(LogStream).where(_OF_OWNER[kind].in_(ids)).values(complete=True)
        stream_ids = list((await session.execute(streams.returning(LogStream.id))).scalars())
        await session.execute(delete(LogCursor).where(LogCursor.stream_id.in_(stream_ids)))
    return ids


async def find_unsealed(session: AsyncSession, after: int, limit: int) -> Sequence[AnyRow]:
    """Complete streams that are still chunks, with an id over `after`: id, next_seq, uuid, owner's id and
    kind."""
    query = (
        select(
            LogStream.id,
            LogStream.next_seq,
            LogStream.experiment_id,
            LogStream.build_id,
            func.coalesce(Experiment.uuid, Build.uuid).label("uuid"),
        )
        .outerjoin(Experiment, Experiment.id == LogStream.experiment_id)
        .outerjoin(Build, Build.id == LogStream.build_id)
        .where(
            LogStream.complete,
            LogStream.object.is_(None),
            LogStream.next_seq > 0,
            LogStream.id > after,
            Experiment.deleted_at.is_(None),
        )
        .order_by(LogStream.id)
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def read_chunks(session: AsyncSession, stream_id: int, from_seq: int, limit: int) -> Sequence[AnyRow]:
    """The next chunks in order, from the one that begins with line `from_seq`: first_seq, last_seq, data."""
    query = (
        select(LogChunk.first_seq, LogChunk.last_seq, LogChunk.data)
        .where(LogChunk.stream_id == stream_id, LogChunk.first_seq >= from_seq)
        .order_by(LogChunk.first_seq)
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def name_object(session: AsyncSession, stream_id: int, key: str) -> bool:
    """Let the stream be the object of that key; False when it is one already, or its owner is deleted."""
    statement = (
        update(LogStream)
        .where(
            LogStream.id == stream_id,
            LogStream.complete,
            LogStream.object.is_(None),
            or_(
                exists().where(Experiment.id == LogStream.experiment_id, Experiment.deleted_at.is_(None)),
                exists().where(Build.id == LogStream.build_id),
            ),
        )
        .values(object=key)
        .returning(LogStream.id)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def is_sealed(session: AsyncSession, stream_id: int) -> bool:
    """Whether the stream is there and names an object."""
    query = select(LogStream.id).where(LogStream.id == stream_id, LogStream.object.is_not(None))
    return (await session.execute(query)).one_or_none() is not None


async def delete_chunks(session: AsyncSession, stream_id: int, from_seq: int, before_seq: int) -> None:
    """Delete the chunks that begin in a range."""
    await session.execute(
        delete(LogChunk).where(
            LogChunk.stream_id == stream_id, LogChunk.first_seq >= from_seq, LogChunk.first_seq < before_seq
        )
    )
