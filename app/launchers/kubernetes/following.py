"""One stream of a pod's log from the cluster, followed to its end, held until it is read."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from aiohttp import StreamReader

from app.launchers.base import LogBytes, LogPosition
from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway, away
from app.launchers.kubernetes.ends import STREAMS
from app.launchers.kubernetes.entries import Batch, Lines
from app.launchers.kubernetes.marks import read_mark

logger = logging.getLogger(__name__)

ROOM = 2 * 1024 * 1024  # bytes held for the reader; more waits at the cluster
SILENCE = (100.0, 140.0)  # seconds without a byte after which a connection is made anew: it may be dead
LOOK = 1.0  # seconds without a byte, after which the log of a pod that is over is looked at
AFTER_END = 10.0  # seconds in which the stream of a pod that is over ends: kubelets look every 5 s
SEARCH = 3.0  # seconds in which the last line read must come again
PAUSE = (0.1, 5.0)  # first and longest between two streams
LAST_TRIES = 20  # looks at the log of a pod that is over before it is given up: its node may be gone
GONE = b"unable to retrieve container logs"  # what a kubelet answers once it has removed the container
NOT_YET = "the server could not find the requested resource"  # a kubelet that began and knows no pod yet
_CHUNK = 64 * 1024


class Follower:
    """The log of one pod from a position on. Its command `began` then, its wrapper prints the line `end` at
    last; `over` says whether nothing of it runs any more, `unseen_end` until when lines may have been lost
    after the last that is there, where that end is not."""

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        start: LogPosition,
        began: datetime,
        *,
        end: str,
        over: Callable[[], bool],
        unseen_end: Callable[[datetime], datetime | None],
    ) -> None:
        self.position = start  # what was read of it
        self._began = began
        self._was_whole = False  # the last stream ended by itself, as it does at the container's end
        self._cluster = cluster
        self._path = path
        self._end = end
        self._over = over
        self._unseen_end = unseen_end
        self._mark = read_mark(start.mark)
        self._ahead: deque[Batch] = deque()
        self._held = 0
        self._room = asyncio.Event()
        self._room.set()
        self._whole = False
        self._gone = False
        self._ended = asyncio.get_running_loop().create_future()  # done once the pod is known to be over
        self.task = asyncio.create_task(self._run(), name=f"follow {path}")

    async def close(self) -> None:
        """Let go of the stream."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    @property
    def ahead(self) -> bool:
        """Whether there is something to be read, be it the end."""
        return bool(self._ahead) or self._whole

    def stands_at(self, position: LogPosition) -> bool:
        """Whether what was read of it is what that position says."""
        return (position.file, position.mark) == (self.position.file, self.position.mark)

    def notice_end(self) -> None:
        """The pod may be over by now: then its log is looked at without delay."""
        if not self._ended.done() and self._over():
            self._ended.set_result(None)

    def read(self, limit: int) -> LogBytes:
        """About `limit` bytes, whole entries."""
        start, data, mark, lost = self.position, bytearray(), self.position.mark, None
        while self._ahead and (not data or len(data) + len(self._ahead[0].data) <= limit):
            if self._ahead[0].lost is not None and data:
                break  # what is lost lies before all of an answer
            batch = self._ahead.popleft()
            data += batch.data
            lost = lost or batch.lost
            mark = batch.mark.text() if batch.mark is not None else mark
        self._held -= len(data)
        if self._held < ROOM:
            self._room.set()
        time = read_mark(mark)
        end = LogPosition(
            file=start.file + (lost is not None),  # so that a gap that was not stored is told again
            offset=start.offset + len(data),
            time=time.at if time else None,
            mark=mark,
        )
        self.position = end
        return LogBytes(bytes(data), start, end, eof=self._whole and not self._ahead, gap=lost)

    async def _run(self) -> None:
        pause, tries, looked = PAUSE[0], 0, self._mark is not None
        while not self._whole:
            over, before, ended = self._over(), self._mark, False
            try:
                if over and self._was_whole and self._has_end:
                    self._finish()
                    return
                if over and looked and await self._is_at_its_end():
                    self._finish()
                    return
                if over and self._gone:
                    self._give_up()
                    return
                looked = True
                ended = await self._stream(follow=not over)
            except ApiRefused as refusal:
                # The pod is gone, or its node, and what was not read.
                if over and refusal.status == 404 and not refusal.message.startswith(NOT_YET):
                    if self._was_whole:
                        self._finish()
                    else:
                        self._give_up()
                    return
                if refusal.status >= 500:  # its node does not answer: nobody ended the last stream well
                    self._was_whole = False
                logger.debug("the log of %s can't be followed now: %s", self._path, refusal.message)
            except ClusterAway as error:
                logger.debug("the log of %s can't be followed now: %s", self._path, error)
                if not over or error.unreached:  # that says nothing of its node
                    tries = 0
            if self._mark != before:
                pause, tries = PAUSE[0], 0
            elif over:
                tries += 1
                if tries >= LAST_TRIES:
                    self._give_up()
                    return
            if ended and not over:  # most often at the container's end, which is told a little later
                await asyncio.wait({self._ended}, timeout=max(LOOK, pause))
            elif not ended or self._mark == before:
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - jitter
            pause = min(PAUSE[1], 1.5 * pause)

    async def _stream(self, *, follow: bool) -> bool:
        """One answer, from the second of the mark on; whether it ended by itself. Raises ApiRefused,
        ClusterAway."""
        lines = Lines(self._mark, self._end)
        params = {"container": "main", "timestamps": "true"}
        if follow:
            params["follow"] = "true"
        if self._mark is not None:
            params["sinceTime"] = self._mark.second
        silence = random.uniform(*SILENCE)  # noqa: S311 - spreads the load
        async with self._cluster.stream(self._path, params, silence=silence) as stream:
            self._was_whole = await self._read_stream(stream, lines, follow=follow)
        if lines.past and not self._whole:  # of a log that is at its end what is held was read before
            self._give(lines.give_up())
        if not follow:
            self._give(lines.finish())
        return self._was_whole

    async def _read_stream(self, stream: StreamReader, lines: Lines, *, follow: bool) -> bool:
        """Take in what comes; whether it ended by itself. Raises ClusterAway."""
        loop = asyncio.get_running_loop()
        search_until, end_until = loop.time() + SEARCH, None
        reading: asyncio.Task[bytes] | None = None
        try:
            while True:
                reading = reading or asyncio.create_task(stream.read(_CHUNK))
                ended = set() if self._ended.done() else {self._ended}
                await asyncio.wait({reading, *ended}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    async with away():
                        data = reading.result()
                    reading = None
                    if not data:
                        return True
                    if data.startswith(GONE):
                        self._gone = True
                        return self._was_whole  # the one before this was the last that had something
                    self._give(lines.feed(data))
                elif follow and self._over():
                    end_until = end_until or loop.time() + AFTER_END
                    if await self._is_at_its_end():
                        self._finish()
                        return False
                    if loop.time() > end_until:
                        return False
                if lines.overdue or (lines.past and loop.time() > search_until):
                    self._give(lines.give_up())
                await self._room.wait()
        finally:
            if reading is not None:
                reading.cancel()

    async def _is_at_its_end(self) -> bool:
        """Whether the last line that there is was read: a stream may end before that. Raises as `_stream`.

        A kubelet removes a deleted pod's containers within a second, and with them the log: then it is at its
        end if the last stream ended by itself.
        """
        params = {"container": "main", "timestamps": "true", "tailLines": "1"}
        async with self._cluster.stream(self._path, params, silence=30.0) as stream, away():
            data = await stream.read()
        last = Lines(None)
        last.feed(data)
        last.finish()
        there = last.mark
        if there is None:
            self._gone = data.startswith(GONE) or self._mark is not None
            return self._was_whole or not self._gone
        return self._mark is not None and (there.time, there.crc) == (self._mark.time, self._mark.crc)

    def _give(self, batch: Batch | None) -> None:
        if batch is None:
            return
        self._mark = batch.mark
        self._ahead.append(batch)
        self._held += len(batch.data)
        if self._held >= ROOM:
            self._room.clear()

    def _finish(self) -> None:
        """All that there is was read. Before an end that its node did not see, lines may have been lost."""
        end = None if self._has_end else self._unseen_end(self._since)
        if end is not None:
            logger.warning("the end of the log %s was lost by its node", self._path)
            self._give(Batch(b"", self._mark, (self._since, end)))
        self._whole = True

    def _give_up(self) -> None:
        """What is not read by now never will be: its node is gone, or its log."""
        now = datetime.now(UTC)
        if not self._has_end:
            logger.warning("the rest of the log %s can't be had from the cluster", self._path)
            self._give(Batch(b"", self._mark, (min(self._since, now), now)))
        self._whole = True

    @property
    def _has_end(self) -> bool:
        """Whether what the wrapper prints at last was read, on both streams."""
        return self._mark is not None and self._mark.ends >= STREAMS

    @property
    def _since(self) -> datetime:
        """The time of the last line that was read."""
        return self._mark.at if self._mark is not None else self._began
