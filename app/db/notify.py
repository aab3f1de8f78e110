"""Wake-ups between processes: sent in batches after commits, heard by one connection a process."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from app.db.sessions import PlainSession

logger = logging.getLogger(__name__)

FLUSH_AFTER = 0.003  # seconds in which commits share one NOTIFY
PACE = 0.02  # seconds between two of these, at the least
_PENDING = "bunsen_announcements"


class Channel(StrEnum):
    """What may be new. The payload is the id it concerns, as text."""

    WORK = "work"  # something for the reconciler
    LOG = "log"  # a log has new lines, or is complete; its owner's key
    LOG_OPENED = "log_opened"  # job attempts whose logs are to be collected; their stream's id
    EXPERIMENT = "experiment"  # an experiment's status changed or it was deleted; its id
    TOKEN = "token"  # a token died; the hex of its hash  # noqa: S105
    USAGE = "usage"  # somebody begins to watch what an experiment's jobs use; its id
    TENSORBOARD = "tensorboard"  # a TensorBoard's row changed; the experiment's id


Announcement = tuple[Channel, str]


def announce(session: AsyncSession, channel: Channel, payload: str | int = "") -> None:
    """Send a wake-up once this session's transaction is committed; a rollback forgets it."""
    session.sync_session.info.setdefault(_PENDING, []).append((channel, str(payload)))


class Notifier:
    """Gathers the announcements of committed sessions and sends them in one NOTIFY every few milliseconds.

    A NOTIFY inside each transaction would make commits wait for one another. What a crash leaves out,
    the readers' ticks find. All wake-ups go over one Postgres channel.
    """

    def __init__(self, engine: AsyncEngine, postgres_channel: str = "bunsen") -> None:
        self._engine = engine
        self._channel = postgres_channel
        self._pending: set[Announcement] = set()
        self._nearby: Listener | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # A class of its own, so that the events of one notifier's sessions are nobody else's.
        self.session_class: type[Session] = type("AnnouncingSession", (PlainSession,), {})
        event.listen(self.session_class, "after_commit", self._committed)
        event.listen(self.session_class, "after_rollback", _forget)

    def tell_nearby(self, listener: "Listener") -> None:
        """This process' own listener hears of dead tokens at the commit, not a round trip later: whoever
        killed one and has the answer finds it dead."""
        self._nearby = listener

    def _committed(self, session: Session) -> None:
        announcements = session.info.pop(_PENDING, None)
        if announcements:
            self._pending.update(announcements)
            self._wake.set()
            if self._nearby is not None:
                self._nearby.hear(a for a in announcements if a[0] is Channel.TOKEN)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="notifier")

    async def close(self) -> None:
        """Send what is left, then end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(Exception):
            await self._flush()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(FLUSH_AFTER)
            try:
                await self._flush()
            except Exception as error:  # the database is away: ticks find what was not announced
                logger.warning("wake-ups not sent: %s", type(error).__name__)
                await asyncio.sleep(0.5)
            await asyncio.sleep(PACE)

    async def _flush(self) -> None:
        batch, self._pending = self._pending, set()
        if not batch:
            return
        payloads = [f"{channel}:{payload}" for channel, payload in batch]
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(
                text("SELECT pg_notify(:channel, p) FROM unnest(CAST(:payloads AS text[])) AS p"),
                {"channel": self._channel, "payloads": payloads},
            )


def _forget(session: Session) -> None:
    session.info.pop(_PENDING, None)


class Subscription:
    """A flag that is set when something announced may concern its owner, and after a lost connection."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.payloads: set[str] = set()
        self.missed = False

    def hit(self, payload: str | None) -> None:
        if payload is None:
            self.missed = True
        else:
            self.payloads.add(payload)
        self._event.set()

    def wake(self) -> None:
        """End a wait, with nothing to take."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Wait for news, at most `timeout` seconds; True when there are some. Clears the flag."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        news = self._event.is_set()
        self._event.clear()
        return news

    def take(self) -> tuple[set[str], bool]:
        """The payloads heard since the last call, and whether others may have been missed."""
        payloads, self.payloads = self.payloads, set()
        missed, self.missed = self.missed, False
        return payloads, missed


class Listener:
    """One connection that hears all wake-ups and hands them to this process' subscribers."""

    def __init__(self, engine: AsyncEngine, postgres_channel: str = "bunsen") -> None:
        self._engine = engine
        self._channel = postgres_channel
        self._by_payload: dict[Announcement, set[Subscription]] = defaultdict(set)
        self._by_channel: dict[Channel, set[Subscription]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    @contextmanager
    def subscribe(
        self, channel: Channel, payload: str | int | None = None, *, into: Subscription | None = None
    ) -> Iterator[Subscription]:
        """News on a channel, of one payload or (None) of all; `into` one that hears others already."""
        subscription = into or Subscription()
        if payload is None:
            self._by_channel[channel].add(subscription)
        else:
            self._by_payload[channel, str(payload)].add(subscription)
        try:
            yield subscription
        finally:
            if payload is None:
                self._by_channel[channel].discard(subscription)
            else:
                self._drop(channel, str(payload), subscription)

    def _drop(self, channel: Channel, payload: str, subscription: Subscription) -> None:
        subscribers = self._by_payload[channel, payload]
        subscribers.discard(subscription)
        if not subscribers:
            del self._by_payload[channel, payload]

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="listener")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                async with self._connection() as gone:
                    self.connected.set()
                    self._tell_all()
                    await gone.wait()
            except Exception as error:
                logger.debug("listener lost its connection: %s", type(error).__name__)
            self.connected.clear()
            await asyncio.sleep(0.25)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncio.Event]:
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(url, timeout=10)
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: gone.set())
            await connection.add_listener(self._channel, self._heard)
            yield gone
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        name, _, key = str(payload).partition(":")
        self.hear([(Channel(name), key)])

    def hear(self, announcements: Iterable[Announcement]) -> None:
        """Hand news to those who subscribed to them."""
        for channel, key in announcements:
            by_payload = self._by_payload.get((channel, key), ())
            for subscription in (*by_payload, *self._by_channel.get(channel, ())):
                subscription.hit(key)

    def _tell_all(self) -> None:
        for subscribers in (*self._by_payload.values(), *self._by_channel.values()):
            for subscription in subscribers:
                subscription.hit(None)
