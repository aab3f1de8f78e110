"""Small chunks at a stream's end, and the larger ones that take their place."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import LogChunk, LogStream


async def lock_stream(session: AsyncSession, stream_id: int) -> bool:
    """Lock a stream until the transaction ends; False when it is complete or gone."""
    query = select(LogStream.id).where(LogStream.id == stream_id, ~LogStream.complete).with_for_update()
    return (await session.execute(query)).one_or_none() is not None


async def find_last_sizes(session: AsyncSession, stream_id: int, limit: int) -> Sequence[AnyRow]:
    """The last chunks, newest first: first_seq, last_seq, head (the first bytes of the data)."""
    query = (
        select(LogChunk.first_seq, LogChunk.last_seq, func.substr(LogChunk.data, 1, 18).label("head"))
        .where(LogChunk.stream_id == stream_id)
        .order_by(LogChunk.first_seq.desc())
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def take_chunks(session: AsyncSession, stream_id: int, from_seq: int) -> Sequence[AnyRow]:
    """Delete the chunks from line `from_seq` on; gives first_seq, data, in order."""
    statement = (
        delete(LogChunk)
        .where(LogChunk.stream_id == stream_id, LogChunk.first_seq >= from_seq)
        .returning(LogChunk.first_seq, LogChunk.data)
    )
    return sorted((await session.execute(statement)).all(), key=lambda row: row.first_seq)
