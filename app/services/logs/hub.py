"""What the streams of a serving process share: the store, the tails of followed logs, the guards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.db.engine import Sessions
from app.db.notify import Listener
from app.domain.logs.owners import LogOwner
from app.services.logs.guards import Guards
from app.services.logs.late_lines import await_last_lines
from app.services.logs.objects import OpenLogs
from app.services.logs.store import LogState, LogStore
from app.services.logs.tail import Form, Tail
from app.storage.log_objects import LogObjectStore


@dataclass
class _Followed:
    """A tail, and how many follow it."""

    tail: Tail
    followers: int = 0


class LogHub:
    """One for a process; started with it and closed with it."""

    def __init__(self, sessions: Sessions, listener: Listener, objects: LogObjectStore) -> None:
        self._listener = listener
        self.store = LogStore(sessions, OpenLogs(objects))
        self.guards = Guards(sessions, listener)
        self._followed: dict[LogOwner, _Followed] = {}

    async def start(self) -> None:
        await self.guards.start()

    async def close(self) -> None:
        self.guards.cut_all()
        await self.guards.close()

    async def settle(self, owner: LogOwner, state: LogState, job: int | None) -> LogState:
        """How far a log is, the last lines of what is done with it (see `late_lines`). Raises LogGone."""
        return await await_last_lines(self.store, self._listener, owner, state, job)

    @asynccontextmanager
    async def follow(self, owner: LogOwner, state: LogState, form: Form) -> AsyncIterator[Tail]:
        """The tail of a log, which is read from `state` on for the first who follows it, until the last left.
        The lines that it reads are made ready in the given form."""
        followed = self._followed.get(owner)
        if followed is None:
            followed = _Followed(Tail(self.store, self._listener, owner, state))
            self._followed[owner] = followed
        followed.followers += 1
        followed.tail.forms[form] += 1
        try:
            yield followed.tail
        finally:
            followed.tail.forms -= {form: 1}
            followed.followers -= 1
            if not followed.followers:
                del self._followed[owner]
                await followed.tail.close()
