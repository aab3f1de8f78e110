"""The only place that writes a status: a guarded update of the row, and a row of its history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import statuses as db
from app.db.notify import Channel, announce
from app.db.rows import AnyRow
from app.domain.lifecycle import DONE, Status, may_move
from app.services.tokens import kill_build_tokens, kill_job_tokens


async def move_experiment(
    session: AsyncSession,
    experiment_id: int,
    seen: Status,
    to: Status,
    message: str | None = None,
    *,
    at: datetime | None = None,
    attempt: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Move an experiment from the status that was seen; False when it isn't there any more.

    With `attempt` the row must be at that attempt, too. `values` are other columns to set in the same
    update. `started_at` and `finished_at` follow from the status. A move that the lifecycle doesn't
    allow is a False as well: the first final status stays.
    """
    if not may_move(seen, to):
        return False
    moved_at = await db.update_experiment(
        session, experiment_id, seen, to, at=at, attempt=attempt, values=values
    )
    if moved_at is None:
        return False
    await db.add_experiment_status(session, experiment_id, to, message, at=moved_at)
    announce(session, Channel.EXPERIMENT, experiment_id)
    announce(session, Channel.WORK)
    if to in DONE:
        await kill_job_tokens(session, experiment_id)
    return True


async def move_experiments(
    session: AsyncSession, ids: Sequence[int], seen: Status, to: Status, values: Mapping[str, Any]
) -> set[int]:
    """As `move_experiment`, of several from the same status, to one that is not final; gives those that
    moved."""
    if not may_move(seen, to) or to in DONE:
        return set()
    moved = await db.update_experiments(session, ids, seen, to, values)
    if moved:
        await db.add_experiment_statuses(session, moved, to)
        announce(session, Channel.WORK)
    for experiment_id in moved:
        announce(session, Channel.EXPERIMENT, experiment_id)
    return set(moved)


async def say_of_experiment(
    session: AsyncSession, experiment_id: int, status: Status, message: str, *, at: datetime | None = None
) -> None:
    """Keep a message about the status that was seen, unless it has another one by now, or the newest row
    says just that already."""
    if await db.add_experiment_message(session, experiment_id, status, message, at=at):
        announce(session, Channel.EXPERIMENT, experiment_id)


async def post_status(
    session: AsyncSession, experiment_id: int, seen: Status, to: Status, message: str | None
) -> AnyRow:
    """What a tracker posts, to an experiment that is not done and whose row is locked: any word is allowed.

    Answers the row of the history.
    """
    moved_at = await db.update_experiment(session, experiment_id, seen, to) if to is not seen else None
    status_id = await db.add_experiment_status(session, experiment_id, to, message, at=moved_at)
    announce(session, Channel.EXPERIMENT, experiment_id)
    announce(session, Channel.WORK)
    if to in DONE:
        await kill_job_tokens(session, experiment_id)
    return await db.get_experiment_status(session, status_id)


async def start_job_histories(session: AsyncSession, job_ids: Sequence[int]) -> None:
    """The first row of each new job's history; their rows hold `scheduled` already."""
    await db.add_job_statuses(session, job_ids, Status.SCHEDULED)


async def move_job(
    session: AsyncSession,
    job_id: int,
    seen: Status,
    to: Status,
    message: str | None = None,
    *,
    at: datetime | None = None,
    attempt: int | None = None,
    details: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Move a job from the status that was seen; False when it isn't there any more, or may not go there."""
    if not may_move(seen, to):
        return False
    moved_at = await db.update_job(session, job_id, seen, to, at=at, attempt=attempt, values=values)
    if moved_at is None:
        return False
    await db.add_job_status(session, job_id, to, message, at=moved_at, details=details)
    return True


async def reset_job(
    session: AsyncSession, job_id: int, message: str | None, *, values: Mapping[str, Any]
) -> None:
    """Back to `scheduled` for a new attempt, from whatever the last attempt ended as."""
    await db.reset_job(session, job_id, Status.SCHEDULED, values)
    await db.add_job_status(session, job_id, Status.SCHEDULED, message)


async def move_build(
    session: AsyncSession,
    build_id: int,
    seen: Status,
    to: Status,
    message: str | None = None,
    *,
    at: datetime | None = None,
    details: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Move a build from the status that was seen; False when it isn't there any more, or may not go there."""
    if not may_move(seen, to):
        return False
    moved_at = await db.update_build(session, build_id, seen, to, at=at, values=values)
    if moved_at is None:
        return False
    await db.add_build_status(session, build_id, to, message, at=moved_at, details=details)
    announce(session, Channel.WORK)
    if to in DONE:
        await kill_build_tokens(session, build_id)
    return True


async def start_build_history(
    session: AsyncSession, build_id: int, status: Status, message: str | None = None
) -> None:
    """The first row of a new build's history."""
    await db.add_build_status(session, build_id, status, message)
    announce(session, Channel.WORK)
