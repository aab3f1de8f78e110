"""Opens the logs of attempts, before they are launched."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs import cursors as db
from app.db.notify import Channel, announce
from app.domain.logs.owners import OwnerKind
from app.domain.runs import JobRef


async def open_logs(
    session: AsyncSession, kind: OwnerKind, jobs: Mapping[int, Mapping[JobRef, int | None]]
) -> None:
    """Say that lines of these job attempts (of each owner, with their jobs' ids; None: a build's) may come.

    To be called in the transaction that claims the attempts for their launch: from then on a log is complete
    only when all of them are collected to their end. May be repeated.
    """
    streams = await db.find_or_add_streams(session, kind, jobs)
    opened = [(streams[id], ref.name, job) for id, refs in jobs.items() for ref, job in refs.items()]
    await db.add(session, opened)
    for stream_id in streams.values():
        announce(session, Channel.LOG_OPENED, stream_id)
