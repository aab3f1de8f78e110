"""Stored lines as readers take them: a batch from a cursor, out of chunks or of the finished object."""

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from app.db.engine import Sessions, transaction
from app.db.logs import reading as db
from app.db.logs.cursors import awaits_lines
from app.db.rows import AnyRow
from app.domain.logs.blocks import LogBlock, select
from app.domain.logs.owners import LogOwner, OwnerKind
from app.domain.logs.render import JobLabel
from app.errors import NotFound
from app.services.logs.objects import OpenLogs
from app.services.logs.rendering import Rendering
from app.services.logs.threads import in_thread
from app.storage.log_frames import decode_frame
from app.storage.log_objects import LogObject

READ_CHUNKS = 8  # of 256 KiB of text at the most


class LogGone(Exception):
    """The log can't be read on: its owner was deleted, or may not be seen any more."""


@dataclass(frozen=True, slots=True)
class LogState:
    """How far a log is. `complete`: its owner is done and every line is stored."""

    uuid: str
    status: str
    stream_id: int | None
    next_seq: int
    object: str | None
    complete: bool
    borrowed: bool
    owner_id: int
    is_public: bool

    @property
    def last_seq(self) -> int:
        return self.next_seq - 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines a reader wants: of one job, not before a time; all where nothing is said."""

    job: int | None = None
    since: datetime | None = None


EVERYTHING = Choice()


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines `start` up to `stop`, as far as they were chosen, in pieces of bytes."""

    start: int
    stop: int
    pieces: Sequence[bytes]


class Labels:
    """What lines say of an experiment's jobs; read again when a job is met that is not known."""

    def __init__(self, sessions: Sessions, owner: LogOwner) -> None:
        self._sessions = sessions
        self._owner = owner
        self.known: dict[int | None, JobLabel] = {None: JobLabel()}

    async def learn(self, blocks: Sequence[LogBlock]) -> None:
        """Make the jobs of these lines known, those that are there."""
        missing = {job for block in blocks for job in block.jobs} - self.known.keys()
        if missing and self._owner.kind is OwnerKind.EXPERIMENT:
            async with transaction(self._sessions) as session:
                rows = await db.find_labels(session, self._owner.id)
            self.known |= {row.id: JobLabel(row.role, row.place) for row in rows}


class LogStore:
    """All logs, wherever they are kept. Sessions are open for single statements only."""

    def __init__(self, sessions: Sessions, opened: OpenLogs) -> None:
        self.sessions = sessions
        self.opened = opened

    async def find_state(self, owner: LogOwner) -> LogState:
        """How far the log is. Raises LogGone."""
        async with transaction(self.sessions) as session:
            row = await db.find_state(session, owner)
        if row is None:
            raise LogGone("deleted")
        return read_state(row)

    async def awaits_lines(self, state: LogState, job: int) -> bool:
        """Whether a job is done whose last lines are not stored yet."""
        if state.stream_id is None:
            return False
        async with transaction(self.sessions) as session:
            return await awaits_lines(session, state.stream_id, job)

    async def find_chunks(
        self, owner: LogOwner, cursor: int, choice: Choice = EVERYTHING, *, limit: int = READ_CHUNKS
    ) -> tuple[LogState, list[tuple[int, bytes]]]:
        """How far the log is, and its first chunks that may hold chosen lines from the cursor on, as
        (first seq, frame). Raises LogGone."""
        async with transaction(self.sessions) as session:
            rows = await db.find_chunks(
                session, owner, cursor, limit=limit, job=choice.job, since=choice.since
            )
        if not rows:
            raise LogGone("deleted")
        return read_state(rows[0]), [(row.first_seq, row.data) for row in rows if row.data is not None]

    async def find_tail(self, owner: LogOwner, state: LogState, lines: int, choice: Choice) -> int:
        """The seq at which the last `lines` chosen lines begin; 0 if there are fewer. Raises LogGone."""
        if state.object is not None:
            try:
                async with self.opened.use(state.object) as log:
                    return await in_thread(log.tail_start, lines, job=choice.job, since=choice.since)
            except NotFound:
                raise LogGone("deleted") from None
        if choice == EVERYTHING or state.stream_id is None or lines == 0:
            return max(0, state.next_seq - lines)
        missing, before = lines, state.next_seq
        while True:
            async with transaction(self.sessions) as session:
                rows = await db.find_newest_chunks(
                    session,
                    state.stream_id,
                    before,
                    limit=READ_CHUNKS,
                    job=choice.job,
                    since=choice.since,
                )
            if not rows:
                state = await self.find_state(owner)
                # None are left; or they became an object meanwhile.
                return 0 if state.object is None else await self.find_tail(owner, state, lines, choice)
            chosen = await in_thread(_chosen, rows, choice)
            if len(chosen) >= missing:
                return chosen[missing - 1]
            missing -= len(chosen)
            before = rows[-1].first_seq


def read_state(row: AnyRow) -> LogState:
    """The state in a row of `db/logs/reading.py`."""
    return LogState(
        uuid=row.uuid,
        status=row.status,
        stream_id=row.stream_id,
        next_seq=row.next_seq,
        object=row.object,
        complete=row.complete,
        borrowed=row.borrowed,
        owner_id=row.owner_id,
        is_public=row.is_public,
    )


def _chosen(rows: Sequence[AnyRow], choice: Choice) -> list[int]:
    """The seqs of the chosen lines of chunks that come newest first, so they do, too."""
    seqs: list[int] = []
    for row in rows:
        block = decode_frame(row.data)
        seqs.extend(reversed(select(block, row.first_seq, job=choice.job, since=choice.since).seqs))
    return seqs


class StoredReader:
    """Reads one log for one reader, or for all that want the same; to be used in an `async with`."""

    def __init__(
        self, store: LogStore, owner: LogOwner, choice: Choice, rendering: Rendering, labels: Labels
    ) -> None:
        self._store = store
        self._owner = owner
        self._choice = choice
        self._rendering = rendering
        self._labels = labels
        self._stack = AsyncExitStack()
        self._object: LogObject | None = None
        self.state: LogState | None = None  # as it was seen with the last batch that came from chunks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def read(self, start: int, stop: int) -> Batch:
        """The next lines from `start`, none from `stop` on; as many as one reading gives.

        Raises LogGone, DamagedLog, and the database's errors.
        """
        blocks = await self._read_blocks(start)
        if not blocks:
            return Batch(start, stop, ())
        await self._labels.learn([block for _, block in blocks])
        return await in_thread(self._render, blocks, start, stop)

    async def _read_blocks(self, start: int) -> list[tuple[int, LogBlock]]:
        if self._object is None:
            self.state, chunks = await self._store.find_chunks(self._owner, start, self._choice)
            if self.state.object is None:
                return await in_thread(lambda: [(seq, decode_frame(data)) for seq, data in chunks])
            self._object = await self._open(self.state.object)
        return await in_thread(_read_frame, self._object, start, self._choice)

    async def _open(self, key: str) -> LogObject:
        try:
            return await self._stack.enter_async_context(self._store.opened.use(key))
        except NotFound:
            raise LogGone("deleted") from None

    def _render(self, blocks: Sequence[tuple[int, LogBlock]], start: int, stop: int) -> Batch:
        pieces: list[bytes] = []
        next_seq = start
        for first_seq, whole in blocks:
            if first_seq >= stop:
                return Batch(start, stop, pieces)
            block = whole.slice(0, min(whole.count, stop - first_seq))
            lines = select(block, first_seq, start=start, job=self._choice.job, since=self._choice.since)
            pieces.extend(self._rendering.lines(lines, self._labels.known))
            next_seq = first_seq + block.count
        return Batch(start, next_seq, pieces)


def _read_frame(log: LogObject, start: int, choice: Choice) -> list[tuple[int, LogBlock]]:
    """The first frame that may hold chosen lines from `start` on, if there is one."""
    first = max(0, bisect_right(log.frames, start, key=lambda info: info.first_seq) - 1)
    for place in range(first, len(log.frames)):
        info = log.frames[place]
        if info.may_hold(start, choice.job, choice.since):
            return [(info.first_seq, log.read(place))]
    return []
