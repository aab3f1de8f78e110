"""Takes the lines that a tracker posts to the log of an experiment that is only tracked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs import posting as db
from app.db.logs import writing
from app.db.notify import Channel, announce
from app.domain.lifecycle import DONE, Status
from app.domain.logs.cri import posted_lines
from app.domain.logs.owners import of_experiment
from app.errors import Conflict
from app.services.experiments.find import BriefExperiment
from app.services.logs.compaction import COMPACT_AFTER, compact
from app.services.logs.frames import Frame, encode, number


@dataclass(frozen=True, slots=True)
class Posted:
    """How many lines were stored, and the number of the log's last one (-1 when it is empty)."""

    count: int
    last_seq: int


async def prepare_lines(texts: Sequence[str]) -> list[Frame]:
    """What is posted as it will be stored, with the time of now. Made in a thread, before any session."""
    now = datetime.now(UTC)
    return await asyncio.to_thread(lambda: encode([posted_lines(None, now, texts)]) if texts else [])


async def post_lines(session: AsyncSession, experiment: BriefExperiment, frames: Sequence[Frame]) -> Posted:
    """Store posted lines. Raises Conflict for an experiment that is launched, or done."""
    if not experiment.tracked:
        raise Conflict("The log of an experiment that is launched is what its jobs print.", code="launched")
    # The row is locked against a change of the status: after the last status no line comes.
    status = await db.lock_status(session, experiment.id)
    if status is None or Status(status) in DONE:
        raise Conflict("The experiment is done, its log is complete.", code="done")
    count = sum(frame.count for frame in frames)
    stream_id, first_seq = await writing.advance(session, experiment.id, count)
    if count:
        await writing.add_chunks(session, stream_id, number(frames, first_seq))
        announce(session, Channel.LOG, of_experiment(experiment.id).key)
        if first_seq // COMPACT_AFTER != (first_seq + count) // COMPACT_AFTER:
            await compact(session, stream_id)
    return Posted(count, first_seq + count - 1)
