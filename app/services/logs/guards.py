"""Cuts what is streamed when it may not go on: the service closes, or the caller's token is dead."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from app.db import tokens as db
from app.db.engine import Sessions, transaction
from app.db.notify import Channel, Listener
from app.db.trouble import reason

logger = logging.getLogger(__name__)

CHECK = 30.0  # seconds between two looks at all tokens, for deaths that were not announced


class Cut(StrEnum):
    """Why a stream was cut."""

    CLOSING = "the service is closing"
    TOKEN = "its token is not valid any more"  # noqa: S105


OnCut = Callable[[Cut], None]


class Guards:
    """Watches over all streams of a process with one task."""

    def __init__(self, sessions: Sessions, listener: Listener) -> None:
        self._sessions = sessions
        self._listener = listener
        self._by_token: dict[bytes, set[OnCut]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="stream guards")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextmanager
    def watch(self, token_hash: bytes, on_cut: OnCut) -> Iterator[None]:
        """Call `on_cut` when a stream of this token must end; at once when the service is closing."""
        self._by_token[token_hash].add(on_cut)
        if self.closing:
            on_cut(Cut.CLOSING)
        try:
            yield
        finally:
            streams = self._by_token[token_hash]
            streams.discard(on_cut)
            if not streams:
                del self._by_token[token_hash]

    def cut_all(self) -> None:
        """The service is closing: cut every stream, also those that begin from now on."""
        self.closing = True
        for token_hash in list(self._by_token):
            self._cut(token_hash, Cut.CLOSING)

    def _cut(self, token_hash: bytes, reason: Cut) -> None:
        for on_cut in list(self._by_token.get(token_hash, ())):
            on_cut(reason)

    async def _run(self) -> None:
        with self._listener.subscribe(Channel.TOKEN) as deaths:
            while True:
                heard = await deaths.wait(CHECK)
                dead, missed = deaths.take()
                for token_hash in dead:
                    self._cut(bytes.fromhex(token_hash), Cut.TOKEN)
                if (missed or not heard) and self._by_token:
                    await self._check_all()

    async def _check_all(self) -> None:
        hashes = list(self._by_token)
        try:
            async with transaction(self._sessions) as session:
                living = await db.find_living(session, hashes)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("tokens of streams can't be checked now: %s", reason(error))
            return
        for token_hash in hashes:
            if token_hash not in living:
                self._cut(token_hash, Cut.TOKEN)
