"""Makes one object of a complete log: durable first, then named as the chunks are deleted."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Sessions, transaction
from app.db.logs import completion as db
from app.db.notify import Channel, announce
from app.db.rows import AnyRow
from app.db.trouble import reason
from app.domain.logs.owners import of_build, of_experiment
from app.errors import InsufficientStorage
from app.services.logs.threads import in_thread
from app.storage.log_frames import DamagedLog
from app.storage.log_objects import LogObjectStore, LogObjectWriter

logger = logging.getLogger(__name__)

PACE = 2.0  # seconds between two looks, at the least: nobody waits for it
TICK = 10.0  # seconds between two looks that nothing asked for
RETRY = (5.0, 300.0)  # first and longest pause after a log could not be sealed
READ_CHUNKS = 16  # of 256 KiB of text at the most: what sealing holds in memory
DELETE_CHUNKS = 4096  # that are deleted by one statement
AT_ONCE = 100


class Sealing:
    """Runs in the leader. A second one at the same time makes the same object, and one of them names it."""

    def __init__(self, sessions: Sessions, objects: LogObjectStore) -> None:
        self._sessions = sessions
        self._objects = objects
        self._news = asyncio.Event()
        self._failed: dict[int, tuple[float, float]] = {}  # stream: not before, the pause after that

    def look(self) -> None:
        """There are complete logs: look soon."""
        self._news.set()

    async def run(self) -> None:
        """Seal what is complete, until it is cancelled; before that remove what an earlier leader left."""
        await in_thread(self._objects.clean)
        while True:
            try:
                await self._seal_all()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                logger.warning("finished logs can't be looked up now: %s", reason(error))
            await asyncio.sleep(PACE)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._news.wait()
            self._news.clear()

    async def _seal_all(self) -> None:
        after = 0
        while True:
            async with transaction(self._sessions) as session:
                rows = await db.find_unsealed(session, after, AT_ONCE)
            for row in rows:
                await self._try(row)
            if len(rows) < AT_ONCE:
                break
            after = rows[-1].id

    async def _try(self, row: AnyRow) -> None:
        now = asyncio.get_running_loop().time()
        not_before, pause = self._failed.get(row.id, (0.0, RETRY[0]))
        if now < not_before:
            return
        try:
            await self.seal(row)
        except (SQLAlchemyError, OSError, TimeoutError, InsufficientStorage, DamagedLog) as error:
            logger.error("the log of %s stays in the database for now: %s", row.uuid, error)
            self._failed[row.id] = (now + pause, min(RETRY[1], 2 * pause))
        else:
            self._failed.pop(row.id, None)

    async def seal(self, row: AnyRow) -> None:
        """Make the object of one stream (a row of `find_unsealed`). May be repeated, and stopped anywhere.

        Raises InsufficientStorage, DamagedLog, OSError, and the database's errors; then nothing has changed.
        """
        writer = await in_thread(self._objects.create, row.uuid)
        try:
            bounds = await self._write(row, writer)
        finally:
            await in_thread(writer.__exit__, None, None, None)
        async with transaction(self._sessions) as session:
            named = await db.name_object(session, row.id, row.uuid)
            if named:
                for first, last in pairwise(bounds):
                    await db.delete_chunks(session, row.id, first, last)
                build, experiment = row.build_id, row.experiment_id
                owner = of_build(build) if experiment is None else of_experiment(experiment)
                announce(session, Channel.LOG, owner.key)
            unwanted = not named and not await db.is_sealed(session, row.id)
        if unwanted:  # it was deleted meanwhile
            await in_thread(self._objects.delete, row.uuid)

    async def _write(self, row: AnyRow, writer: LogObjectWriter) -> list[int]:
        """Write the object; gives the seqs between which its chunks are to be deleted, range by range."""
        bounds, count, next_seq = [0], 0, 0
        while next_seq < row.next_seq:
            async with transaction(self._sessions) as session:
                chunks = await db.read_chunks(session, row.id, next_seq, READ_CHUNKS)
            if not chunks:
                # Another was faster, or it was deleted; or else it is damaged.
                raise DamagedLog(f"line {next_seq} is missing in the database")
            await in_thread(_add, writer, chunks)
            next_seq = chunks[-1].last_seq + 1
            count += len(chunks)
            if count >= DELETE_CHUNKS * len(bounds):
                bounds.append(next_seq)
        await in_thread(writer.commit)
        return [*bounds, row.next_seq]


def _add(writer: LogObjectWriter, chunks: Sequence[AnyRow]) -> None:
    for chunk in chunks:
        writer.add(chunk.first_seq, chunk.data)
