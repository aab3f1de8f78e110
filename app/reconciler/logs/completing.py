"""Finds what is done and whose every line is stored: from then on its log is complete."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Sessions, transaction
from app.db.logs import completion as db
from app.db.notify import Channel, Listener, Subscription, announce
from app.db.trouble import reason
from app.domain.logs.owners import LogOwner, OwnerKind

logger = logging.getLogger(__name__)

TICK = 2.0  # seconds between two looks that nothing asked for
PACE = 0.3  # seconds between two looks, at the least
AT_ONCE = 200


class Completing:
    """Runs in the leader. `on_complete` is called when there are logs to be sealed."""

    def __init__(self, sessions: Sessions, listener: Listener, on_complete: Callable[[], None]) -> None:
        self._sessions = sessions
        self._listener = listener
        self._on_complete = on_complete
        self._news = Subscription()

    def look(self) -> None:
        """A log was stored to its end: look soon."""
        self._news.hit("")

    async def run(self) -> None:
        """Look when something is done or a log ended, until it is cancelled."""
        with self._listener.subscribe(Channel.WORK, into=self._news):
            while True:
                try:
                    while await self._complete():
                        pass
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    logger.warning("what is done can't be looked up now: %s", reason(error))
                await asyncio.sleep(PACE)
                await self._news.wait(TICK)
                self._news.take()

    async def _complete(self) -> bool:
        """Mark some that are due; whether there may be more of them."""
        found = 0
        async with transaction(self._sessions) as session:
            for kind in OwnerKind:
                ids = await db.mark_collected(session, kind, AT_ONCE)
                for owner_id in ids:
                    announce(session, Channel.LOG, LogOwner(kind, owner_id).key)
                found = max(found, len(ids))
            if found:
                announce(session, Channel.WORK)  # what is left of them on the launcher may go now
        if found:
            self._on_complete()
        return found == AT_ONCE
