"""The last lines of what is done: who heard of its end and then reads its log gets these, too."""

import asyncio

from app.db.notify import Channel, Listener
from app.domain.lifecycle import DONE, Status
from app.domain.logs.owners import LogOwner
from app.services.logs.store import LogState, LogStore

PATIENCE = 10.0  # seconds; the lines are there in a fraction of one, unless no reconciler is at work
TICK = 0.5  # seconds between two looks that no announcement asked for


async def await_last_lines(
    store: LogStore, listener: Listener, owner: LogOwner, state: LogState, job: int | None
) -> LogState:
    """How far a log is once the lines of its owner, or of one job, are stored, if that is done. Else nobody
    waits, and nobody longer than `PATIENCE`. Raises LogGone."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    with listener.subscribe(Channel.LOG, owner.key) as news:
        while not state.complete and loop.time() < until:
            if Status(state.status) not in DONE:
                if job is None:
                    break
                if not await store.awaits_lines(state, job):
                    return await store.find_state(owner)  # later than that look
            await news.wait(TICK)
            news.take()
            state = await store.find_state(owner)
    return state
