"""One reader's stream: what is stored from its cursor on, then what comes, in its form, to its end."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from app.domain.logs.owners import LogOwner
from app.services.access import Caller, may_see
from app.services.logs.hub import LogHub
from app.services.logs.rendering import Rendering
from app.services.logs.store import EVERYTHING, Batch, Choice, Labels, LogGone, LogState, StoredReader
from app.services.logs.tail import AWAY, Tail

logger = logging.getLogger(__name__)
T = TypeVar("T")

HEARTBEAT = 15.0  # seconds between two signs of life
STALLED = 5.0  # seconds that a reader may take for one piece, before what waits behind it is let go
CHECK = 1.0  # seconds between two looks at whether a log that is not followed is still there
PATIENCE = 30.0  # seconds without a database that a reader waits who doesn't follow
_RETRY = (0.25, 2.0)  # first and longest pause between two tries
_LARGE = 16 * 1024


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What a reader asked for: chosen lines from `start` on, of those that are there the last `tail`, in a
    form. `state` is the log's as it asked."""

    owner: LogOwner
    caller: Caller
    state: LogState
    rendering: Rendering
    start: int = 0
    tail: int | None = None
    choice: Choice = EVERYTHING
    follow: bool = False


class _Pieces:
    """What is to be sent next; it can be let go at any time, and be made again from the store."""

    def __init__(self, batch: Batch, skip: int) -> None:
        self.stop = batch.stop
        self.whole = True
        self._rest = deque(batch.pieces)
        while self._rest and skip >= len(self._rest[0]):
            skip -= len(self._rest.popleft())
        if self._rest:
            self._rest[0] = self._rest[0][skip:]
            skip = 0
        self.left = skip  # of what was to be skipped, when the batch is shorter

    def take(self) -> bytes | None:
        return self._rest.popleft() if self._rest else None

    @property
    def waiting(self) -> bool:
        return bool(self._rest)

    def drop(self) -> None:
        self.whole = not self._rest
        self._rest.clear()


class LogStream:
    """The stream of one reader. `status` is the newest that it knows of the log's owner."""

    def __init__(self, hub: LogHub, request: LogRequest) -> None:
        self._hub = hub
        self._request = request
        self._bound = request.state.next_seq
        self.status = request.state.status
        self._checked = self._clock()
        self._beat = self._checked + HEARTBEAT

    @staticmethod
    def _clock() -> float:
        return asyncio.get_running_loop().time()

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The bytes, each piece made while the one before is sent. It holds no session while it waits.

        A reader that takes longer than `STALLED` for a piece holds no more than that one; what follows is
        read again. To be closed by who uses it. Raises LogGone, DamagedLog.
        """
        if not self._request.follow and not self._request.state.complete:
            await self._settle()
        request = self._request
        async with AsyncExitStack() as stack:
            labels = Labels(self._hub.store.sessions, request.owner)
            tail = None
            if request.follow and not request.state.complete:
                form = (request.rendering, request.choice.job)
                tail = await stack.enter_async_context(self._hub.follow(request.owner, request.state, form))
                labels = tail.labels
            reader = StoredReader(self._hub.store, request.owner, request.choice, request.rendering, labels)
            await stack.enter_async_context(reader)
            cursor, skip = await self._find_start(), 0
            while True:
                if tail is not None and not skip and (sign := self._sign(tail)):
                    yield sign
                if (batch := await self._next(cursor, reader, tail)) is None:
                    break
                pieces = _Pieces(batch, skip)
                del batch
                while (piece := pieces.take()) is not None:
                    skip += len(piece)
                    if pieces.waiting:
                        timer = asyncio.get_running_loop().call_later(STALLED, pieces.drop)
                        yield piece
                        timer.cancel()
                    else:
                        yield piece
                    if len(piece) >= _LARGE:
                        await asyncio.sleep(0)  # a fast reader must not hold the loop
                if pieces.whole:
                    cursor, skip = pieces.stop, pieces.left
            yield request.rendering.end(self.status, self._bound - 1)

    async def _settle(self) -> None:
        """Take the last lines of what is done, too, where these are on their way."""
        asked = self._request
        state = await self._patiently(lambda: self._hub.settle(asked.owner, asked.state, asked.choice.job))
        self._request = replace(asked, state=state)
        self._bound, self.status = state.next_seq, state.status

    async def _find_start(self) -> int:
        request = self._request
        tail = request.tail
        if tail is None:
            return request.start
        store = self._hub.store
        start = await self._patiently(
            lambda: store.find_tail(request.owner, request.state, tail, request.choice)
        )
        return max(request.start, start)

    def _sign(self, tail: Tail) -> bytes:
        """What a follower is told beside the lines: a new status, a sign of life."""
        signs = b""
        if tail.state.status != self.status:
            self.status = tail.state.status
            signs += self._request.rendering.status()
        if self._clock() >= self._beat:
            self._beat = self._clock() + HEARTBEAT
            signs += self._request.rendering.heartbeat()
        return signs

    async def _next(self, cursor: int, reader: StoredReader, tail: Tail | None) -> Batch | None:
        """The next lines; an empty batch when it is time to look around; None at the end."""
        if tail is None:
            if cursor >= self._bound:
                return None
            await self._check()
            return await self._patiently(lambda: reader.read(cursor, self._bound))
        while cursor >= tail.next_seq:
            self._check_tail(tail)
            if tail.state.status != self.status or self._clock() >= self._beat:
                return Batch(cursor, cursor, ())
            if tail.complete:
                self._bound = tail.next_seq
                return None
            await tail.wait(self._beat - self._clock())
        self._check_tail(tail)
        if cursor >= tail.first_seq:
            return tail.read(cursor, self._request.choice, self._request.rendering)
        before = tail.first_seq
        return await self._patiently(lambda: reader.read(cursor, before))

    def _check_tail(self, tail: Tail) -> None:
        if tail.gone is not None:
            raise LogGone(tail.gone)
        self._check_access(tail.state)

    async def _check(self) -> None:
        if self._clock() - self._checked >= CHECK:
            self._check_access(await self._patiently(lambda: self._hub.store.find_state(self._request.owner)))
            self._checked = self._clock()

    def _check_access(self, state: LogState) -> None:
        caller = self._request.caller
        if not caller.is_job and not may_see(caller, state.owner_id, state.is_public):
            raise LogGone("it may not be seen any more")

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Try until the database answers; a reader that doesn't follow gives up in the end."""
        began = self._clock()
        pause, longest = _RETRY
        while True:
            try:
                return await read()
            except AWAY as error:
                if not self._request.follow and self._clock() - began > PATIENCE:
                    raise LogGone(f"the database is away ({type(error).__name__})") from error
            await asyncio.sleep(pause)
            pause = min(longest, 2 * pause)
