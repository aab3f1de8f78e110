"""What an experiment's jobs use, for those who watch: read once a second in this process, shared by all."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from sqlalchemy.exc import SQLAlchemyError

from app.db import usage as db
from app.db.engine import Sessions, transaction
from app.db.notify import Channel, announce
from app.db.trouble import reason
from app.domain.lifecycle import DONE, Status

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two readings
WATCHED = 10.0  # seconds that a watch holds, so that one which nobody ends ends by itself
FRESH = 5.0  # seconds after which a measurement is too old to be shown


@dataclass
class Usage:
    """The newest figures of one experiment, as the JSON that is sent. `readings` counts them."""

    rows: bytes = b"[]"
    readings: int = 0
    done: bool = False
    gone: bool = False
    owner_id: int = 0
    is_public: bool = True
    watchers: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: "asyncio.Task[None] | None" = None

    async def next(self, seen: int) -> int:
        """Wait until there are newer figures than the `seen`-th; gives their number."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.readings > seen)
        return self.readings


class UsageHub:
    """One for a process."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._watched: dict[int, Usage] = {}

    @asynccontextmanager
    async def watch(self, experiment_id: int) -> AsyncIterator[Usage]:
        """The figures of an experiment, read for as long as somebody is in here."""
        usage = self._watched.get(experiment_id)
        if usage is None:
            usage = self._watched[experiment_id] = Usage()
            usage.task = asyncio.create_task(
                self._run(experiment_id, usage), name=f"usage of {experiment_id}"
            )
        usage.watchers += 1
        try:
            yield usage
        finally:
            usage.watchers -= 1
            if not usage.watchers:
                del self._watched[experiment_id]
                assert usage.task is not None
                usage.task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await usage.task

    async def _run(self, experiment_id: int, usage: Usage) -> None:
        renew_at = 0.0
        loop = asyncio.get_running_loop()
        while not usage.done and not usage.gone:
            try:
                await self._read(experiment_id, usage)
                if not usage.gone and loop.time() >= renew_at:
                    await self._renew(experiment_id, first=renew_at == 0.0)
                    renew_at = loop.time() + WATCHED / 2
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                logger.warning("what jobs use can't be read now: %s", reason(error))
                usage.rows = b"[]"
            async with usage.changed:
                usage.readings += 1
                usage.changed.notify_all()
            await asyncio.sleep(EVERY)

    async def _renew(self, experiment_id: int, *, first: bool) -> None:
        async with transaction(self._sessions) as session:
            await db.watch(session, experiment_id, WATCHED)
            if first:
                announce(session, Channel.USAGE, experiment_id)

    async def _read(self, experiment_id: int, usage: Usage) -> None:
        async with transaction(self._sessions) as session:
            row = await db.find_rows(session, experiment_id, FRESH)
        if row is None:
            usage.gone = True
            return
        usage.done = Status(row.status) in DONE
        usage.owner_id, usage.is_public = row.owner_id, row.is_public
        usage.rows = orjson.dumps(row.rows or [])
