"""Opens the logs of an attempt, before it is launched."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs import cursors as db
from app.db.notify import Channel, announce
from app.domain.logs.owners import LogOwner
from app.domain.runs import JobRef


async def open_logs(session: AsyncSession, owner: LogOwner, jobs: Mapping[JobRef, int | None]) -> None:
    """Say that lines of these job attempts (with their jobs' ids; None: a build's) may come.

    To be called in the transaction that claims the attempt for its launch: from then on a log is complete
    only when all of them are collected to their end. May be repeated.
    """
    stream_id = await db.find_or_add_stream(session, owner)
    await db.add(session, stream_id, {ref.name: job for ref, job in jobs.items()})
    announce(session, Channel.LOG_OPENED, stream_id)
