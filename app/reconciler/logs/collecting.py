"""Reads the logs of live jobs and stores their lines: each once, whatever dies in between.

What is stored of a stream at once goes in one statement, with the cursors up to which it was read, and only
where the stream stands at the number that it was loaded with. So of two collectors one stores a line, the
other finds that out and loads its streams anew; and after a crash or an error, whether its last transaction
was committed or not, reading goes on where the stored cursors say.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Sessions, transaction
from app.db.logs import cursors as db
from app.db.logs.writing import NewLines, store
from app.db.notify import Channel, Listener, Subscription, announce
from app.db.trouble import reason
from app.domain.runs import JobRef
from app.launchers.base import JobSource
from app.reconciler.logs.sources import Reading, Source, Sources, digest, read_ref
from app.services.logs.compaction import COMPACT_AFTER, compact
from app.services.logs.threads import in_thread

logger = logging.getLogger(__name__)

POLL = 0.05  # seconds between two looks for new lines
QUIET_POLL = 0.2  # the same for a log that was silent for `QUIET` seconds: most of many jobs are
QUIET = 5.0
LOOK_SHARE = 5  # a pause is at least this many times as long as the look before, with very many jobs,
LONGEST_PAUSE = 0.5  # but no longer: a look may have waited for a disk or a core
TICK = 2.0  # seconds between two looks for open logs that were not announced, or have no more lines
RETRY = (0.25, 5.0)  # first and longest pause while the database is away
SOURCE_RETRY = 1.0  # seconds after which a log that can't be read is tried again
AT_ONCE = 64  # logs that are read and stored together
READ_AT_ONCE = 4 * 1024 * 1024  # bytes, of all of them
READ_LIMITS = (64 * 1024, 1024 * 1024)  # bytes, of one
AWAY = (SQLAlchemyError, OSError, TimeoutError)


class Collecting:
    """Runs in the leader. `on_end` is called when a log was stored to its end."""

    def __init__(
        self, sessions: Sessions, listener: Listener, launcher: JobSource, on_end: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._listener = listener
        self._launcher = launcher
        self._on_end = on_end
        self._sources = Sources()

    async def run(self) -> None:
        """Collect until it is cancelled. What fails is tried again, from what is stored."""
        with self._listener.subscribe(Channel.LOG_OPENED) as opened:
            hearing = asyncio.create_task(self._hear_launcher(opened), name="hear of jobs")
            try:
                await self._collect_again(opened)
            finally:
                hearing.cancel()

    async def _collect_again(self, opened: Subscription) -> None:
        pause, longest = RETRY
        while True:
            try:
                await self._load()
                await self._collect_on(opened)
            except AWAY as error:
                logger.warning("log lines can't be stored now, they wait: %s", reason(error))
            except Exception:
                logger.exception("collecting logs failed, it is tried again")
            else:
                pause = RETRY[0]
                continue
            # Whether the last transaction was committed is not known: all is read again from its cursor.
            self._sources = Sources()
            await asyncio.sleep(pause)
            pause = min(longest, 2 * pause)

    async def _hear_launcher(self, opened: Subscription) -> None:
        """A job that begins or ends has lines: look at once, and often."""
        async for ref in self._launcher.changes():
            source = self._sources.by_ref.get(ref)
            if source is not None:
                source.look_at, source.heard_at = 0.0, asyncio.get_running_loop().time()
                opened.wake()

    async def _collect_on(self, opened: Subscription) -> None:
        """Pass after pass, until it is time to look for what no announcement told of."""
        loop = asyncio.get_running_loop()
        until = loop.time() + TICK
        while (began := loop.time()) < until:
            ahead = await self._look(began)
            looked = loop.time() - began
            more = False
            for start in range(0, len(ahead), AT_ONCE):
                more |= await self._collect(ahead[start : start + AT_ONCE])
            if not more:
                await asyncio.sleep(min(LOOK_SHARE * looked, LONGEST_PAUSE))
            wait = POLL if self._sources.by_ref else until - loop.time()
            if await opened.wait(0 if more else max(0.0, wait)):
                stream_ids, missed = opened.take()
                if missed or stream_ids:
                    await self._load(None if missed else [int(stream_id) for stream_id in stream_ids])
        await self._close_lost()

    async def _load(self, stream_ids: Sequence[int] | None = None) -> None:
        async with transaction(self._sessions) as session:
            self._sources.add(await db.load_open(session, stream_ids))

    async def _look(self, now: float) -> list[Source]:
        """The sources that have something new."""
        due = {ref: source for ref, source in self._sources.by_ref.items() if source.look_at <= now}
        positions = {ref: source.position for ref, source in due.items()}
        ahead = await self._launcher.logs_ahead(positions) if positions else []
        for ref in ahead:
            due[ref].heard_at = now
        for source in due.values():
            source.look_at = now + (POLL if now - source.heard_at < QUIET else QUIET_POLL) - POLL / 2
        return [due[ref] for ref in ahead]

    async def _collect(self, sources: Sequence[Source]) -> bool:
        """Read and store what these have, up to a limit; whether one of them has more."""
        least, most = READ_LIMITS
        limit = min(most, max(least, READ_AT_ONCE // len(sources)))
        read = await asyncio.gather(*(self._read(source, limit) for source in sources))
        readings = [reading for reading in read if reading is not None]
        news = await in_thread(digest, readings)
        stored = await self._store(news) if news else set()
        lost = {new.stream_id for new in news} - stored
        if lost:
            async with transaction(self._sessions) as session:
                self._sources.replace(await db.load_open(session, list(lost)), lost)
        for reading in readings:
            if reading.source.stream.id not in lost:
                await self._advance(reading, stored=reading.source.stream.id in stored)
        await self._compact(stored)
        full = [reading.source for reading in readings if 2 * len(reading.data.data) > limit]
        for source in full:
            source.look_at = 0.0
        return bool(full)

    async def _read(self, source: Source, limit: int) -> Reading | None:
        try:
            return Reading(source, await self._launcher.read_log(source.ref, source.position, limit))
        except OSError as error:
            logger.error("the log of %s can't be read now: %s", source.ref.name, error)
            source.look_at = asyncio.get_running_loop().time() + SOURCE_RETRY
            return None

    async def _store(self, news: Sequence[NewLines]) -> set[int]:
        """Gives the ids of the streams of which it was stored."""
        streams = self._sources.streams
        async with transaction(self._sessions) as session:
            stored = await store(session, news)
            for stream_id in stored:
                announce(session, Channel.LOG, streams[stream_id].owner.key)
        for new in news:
            if new.stream_id in stored:
                streams[new.stream_id].next_seq += new.count
                streams[new.stream_id].added += len(new.chunks)
        return stored

    async def _advance(self, reading: Reading, *, stored: bool) -> None:
        source, end = reading.source, reading.data.end
        source.position = end
        if not stored:
            return
        if end.file != source.stored.file:
            await self._launcher.trim_log(source.ref, end)
        source.stored = end
        if reading.data.eof:
            self._sources.drop(source.ref)
            self._on_end()

    async def _compact(self, stream_ids: Iterable[int]) -> None:
        for stream_id in stream_ids:
            stream = self._sources.streams.get(stream_id)
            if stream is not None and stream.added >= COMPACT_AFTER:
                async with transaction(self._sessions) as session:
                    await compact(session, stream_id)
                stream.added = 0

    async def _close_lost(self) -> None:
        """An attempt that is over and of which its launcher knows nothing (it never started, or someone
        deleted it) has no more lines, but for those that are still being read."""
        async with transaction(self._sessions) as session:
            over = [read_ref(name) for name in await db.find_over(session)]
        there = await self._launcher.observe(over) if over else {}
        lost = [ref for ref in over if ref not in there and not self._ends(ref)]
        if not lost:
            return
        async with transaction(self._sessions) as session:
            await db.close(session, [ref.name for ref in lost])
        for ref in lost:
            if ref in self._sources.by_ref:
                self._sources.drop(ref)
        self._on_end()

    def _ends(self, ref: JobRef) -> bool:
        source = self._sources.by_ref.get(ref)
        return source is not None and self._launcher.ends_log(ref, source.position)
