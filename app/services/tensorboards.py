"""TensorBoards as people ask for them: start, stop, where one is, and what is behind its path."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import tensorboards as db
from app.db.engine import Sessions, transaction
from app.db.notify import Channel, Listener, announce
from app.domain.lifecycle import Status
from app.domain.times import iso
from app.errors import NotFound, Unavailable
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.tickets import TicketKind, create_ticket

SELDOM = timedelta(minutes=1)  # between two notes that one was asked for
NONE = "There is no TensorBoard running for this experiment."
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Behind:
    """The TensorBoard behind a path: where it is, and the secret that it answers to."""

    experiment_id: int
    address: str
    secret: str


def page_path(path: ExperimentPath) -> str:
    """The path of an experiment's TensorBoard at the service."""
    return f"/tensorboard/{path.username}/{path.project}/experiments/{path.id}/"


async def start_tensorboard(
    sessions: Sessions, listener: Listener, caller: Caller, path: ExperimentPath, seconds: float, base: str
) -> tuple[bool, Json]:
    """Whether it had to be started, and where it is. No session is held while it starts.

    Raises NotFound, Forbidden; Unavailable when its page doesn't answer within `seconds`.
    """
    async with transaction(sessions) as session:
        brief = await get_brief(session, caller, path, change=True)
        row = await db.find(session, brief.id)
        runs = row is not None and row.wanted and Status(row.status) is Status.RUNNING
        await db.want(session, brief.id)
        announce(session, Channel.WORK)
    if not runs:
        await _wait(sessions, listener, brief.id, seconds)
    async with transaction(sessions) as session:
        return not runs, await read_tensorboard(session, caller, path, base)


async def _wait(sessions: Sessions, listener: Listener, experiment_id: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with listener.subscribe(Channel.TENSORBOARD, experiment_id) as news:
        while True:
            async with transaction(sessions) as session:
                row = await db.find(session, experiment_id)
            if row is None:
                raise NotFound("There is no such experiment.")
            if Status(row.status) is Status.RUNNING:
                return
            left = deadline - time.monotonic()
            if left <= 0 or not row.wanted:
                why = f": {row.message}" if row.message else ""
                raise Unavailable(f"TensorBoard does not answer yet{why}.", retry_after=5)
            await news.wait(min(left, 1.0))


async def stop_tensorboard(session: AsyncSession, caller: Caller, path: ExperimentPath) -> Json:
    """It is not wanted any more; there may be none. Raises NotFound, Forbidden."""
    brief = await get_brief(session, caller, path, change=True)
    if await db.unwant(session, brief.id):
        announce(session, Channel.WORK)
    return {"status": Status.STOPPED.value, "url": None, "expires_at": None}


async def read_tensorboard(session: AsyncSession, caller: Caller, path: ExperimentPath, base: str) -> Json:
    """Its status, and while it runs a URL that lets one browser in, once, within a minute."""
    brief = await get_brief(session, caller, path)
    row = await db.find(session, brief.id)
    if row is None:
        return {"status": Status.STOPPED.value, "url": None, "expires_at": None}
    if not row.wanted or Status(row.status) is not Status.RUNNING:
        word = row.status if row.wanted else Status.STOPPED.value
        return {"status": word, "url": None, "expires_at": None}
    ticket = await create_ticket(session, caller, TicketKind.TENSORBOARD, page_path(path), brief.id)
    url = f"{base}{page_path(path)}?ticket={ticket.ticket}"
    return {"status": row.status, "url": url, "expires_at": iso(ticket.expires_at)}


async def find_behind(session: AsyncSession, caller: Caller, path: ExperimentPath) -> Behind:
    """What the proxy passes requests to, and note that it was asked for. Raises NotFound."""
    brief = await get_brief(session, caller, path)
    row = await db.find(session, brief.id)
    if row is None or not row.wanted or row.address is None or row.secret is None:
        raise NotFound(NONE)
    await db.touch(session, row.id, SELDOM)
    return Behind(brief.id, row.address, row.secret)
