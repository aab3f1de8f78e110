"""The newest lines of a log that is followed: read once in this process, shared by all its followers."""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from app.db.notify import Channel, Listener
from app.db.trouble import reason
from app.domain.logs.blocks import LogBlock, Numbered, read_time, select
from app.domain.logs.owners import LogOwner, OwnerKind
from app.services.logs.rendering import Rendering
from app.services.logs.store import Batch, Choice, Labels, LogGone, LogState, LogStore
from app.services.logs.threads import in_thread
from app.storage.log_frames import DamagedLog, decode_frame

logger = logging.getLogger(__name__)

PACE = 0.05  # seconds between two readings, at the least
MANY = 200  # followers, from which each reading's wake-ups cost so much that fewer are better
SLOW_PACE = 0.1
TICK = 5.0  # seconds between two readings that no announcement asked for
SHORT_TICK = 1.0  # the same while announcements aren't heard, or are another's
KEPT_TEXT = 2 * 1024 * 1024  # bytes of text; who is further behind than that reads the store
KEPT_BLOCKS = 256

Form = tuple[Rendering, int | None]  # a rendering, and the one job that it is for
AWAY = (SQLAlchemyError, OSError, TimeoutError)  # the database can't be reached for now


class _TailBlock:
    """A block of the tail, and its bytes in the forms that somebody asked for."""

    def __init__(self, first_seq: int, block: LogBlock) -> None:
        self.first_seq = first_seq
        self.block = block
        self.next_seq = first_seq + block.count
        self.first_time = read_time(min(block.line_times()))
        self._rendered: dict[Form, Sequence[bytes]] = {}

    def render(self, form: Form, labels: Labels) -> Sequence[bytes]:
        pieces = self._rendered.get(form)
        if pieces is None:
            rendering, job = form
            pieces = rendering.lines(select(self.block, self.first_seq, job=job), labels.known)
            self._rendered[form] = pieces
        return pieces

    def choose(self, start: int, choice: Choice) -> Numbered:
        return select(self.block, self.first_seq, start=start, job=choice.job, since=choice.since)


class Tail:
    """Reads a log as it grows, for as long as somebody follows it.

    `first_seq` up to `next_seq` are the lines that it holds. `state` is the log's as it was read last;
    `gone` says that it can't be read any more.
    """

    def __init__(self, store: LogStore, listener: Listener, owner: LogOwner, state: LogState) -> None:
        self._store = store
        self._listener = listener
        self._owner = owner
        self.state = state
        self.gone: str | None = None
        self.labels = Labels(store.sessions, owner)
        self.first_seq = self.next_seq = state.next_seq
        self.forms: Counter[Form] = Counter()
        self._blocks: deque[_TailBlock] = deque()
        self._text = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._task = asyncio.create_task(self._run(), name=f"tail of {owner.key}")

    @property
    def complete(self) -> bool:
        """Whether all lines were read that there will ever be."""
        return self.state.complete and self.next_seq == self.state.next_seq

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def wait(self, timeout: float) -> None:
        """Until there is something new, at most `timeout` seconds."""
        loop = asyncio.get_running_loop()
        news: asyncio.Future[None] = loop.create_future()
        self._waiting.add(news)
        timer = loop.call_later(max(0.0, timeout), _resolve, news)
        try:
            await news
        finally:
            timer.cancel()
            self._waiting.discard(news)

    def read(self, start: int, choice: Choice, rendering: Rendering) -> Batch:
        """The lines from `start` to the end of the block that holds it (first_seq <= start < next_seq)."""
        # From the end: nearly all followers want the newest block.
        block = next(block for block in reversed(self._blocks) if block.first_seq <= start)
        if start == block.first_seq and (choice.since is None or block.first_time >= choice.since):
            return Batch(start, block.next_seq, block.render((rendering, choice.job), self.labels))
        pieces = rendering.lines(block.choose(start, choice), self.labels.known)
        return Batch(start, block.next_seq, pieces)

    async def _run(self) -> None:
        try:
            await self._read_on()
        except Exception:
            logger.exception("the log of %s can't be followed", self._owner.key)
            self._lose("it can't be read")

    async def _read_on(self) -> None:
        with contextlib.ExitStack() as stack:
            news = stack.enter_context(self._listener.subscribe(Channel.LOG, self._owner.key))
            if self._owner.kind is OwnerKind.EXPERIMENT:
                stack.enter_context(self._listener.subscribe(Channel.EXPERIMENT, self._owner.id, into=news))
            while self.gone is None and not self.complete:
                more = await self._refresh()
                await asyncio.sleep(PACE if self.forms.total() < MANY else SLOW_PACE)
                if not more:
                    await news.wait(self._tick())

    def _tick(self) -> float:
        return SHORT_TICK if self.state.borrowed or not self._listener.connected.is_set() else TICK

    async def _refresh(self) -> bool:
        """Read what is new; whether there is more to be read at once."""
        try:
            state, chunks = await self._store.find_chunks(self._owner, self.next_seq)
            blocks = await in_thread(_decode, chunks, self.next_seq)
            await self.labels.learn([block.block for block in blocks])
            await in_thread(_render, blocks, list(self.forms), self.labels)
        except AWAY as error:
            logger.warning("the log of %s can't be read now: %s", self._owner.key, reason(error))
            return False
        except (LogGone, DamagedLog) as error:
            self._lose(str(error))
            return False
        self._take(state, blocks)
        self._tell()
        return self.next_seq < state.next_seq

    def _take(self, state: LogState, blocks: Sequence[_TailBlock]) -> None:
        self.state = state
        self._blocks.extend(blocks)
        self._text += sum(len(block.block.text) for block in blocks)
        if blocks:
            self.next_seq = blocks[-1].next_seq
        elif self.next_seq < state.next_seq:
            # The lines between became a part of the finished object meanwhile: followers read them there.
            self._blocks.clear()
            self._text = 0
            self.next_seq = state.next_seq
        while self._text > KEPT_TEXT or len(self._blocks) > KEPT_BLOCKS:
            self._text -= len(self._blocks.popleft().block.text)
        self.first_seq = self._blocks[0].first_seq if self._blocks else self.next_seq

    def _lose(self, reason: str) -> None:
        self.gone = reason
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for news in waiting:
            _resolve(news)


def _decode(chunks: Sequence[tuple[int, bytes]], start: int) -> list[_TailBlock]:
    """The chunks' lines from `start` on."""
    blocks = []
    for first_seq, data in chunks:
        block = decode_frame(data)
        skip = max(0, start - first_seq)
        blocks.append(_TailBlock(first_seq + skip, block.slice(skip, block.count)))
    return blocks


def _render(blocks: Sequence[_TailBlock], forms: Sequence[Form], labels: Labels) -> None:
    for block in blocks:
        for form in forms:
            block.render(form, labels)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
