"""From what the launcher sees of jobs to their statuses, and from those to their experiments'."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import experiments as db_experiments
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import DONE, Status
from app.domain.runs import JobObservation, JobRef
from app.reconciler.context import Context
from app.services.attempts import settle
from app.services.statuses import move_job, say_of_experiment

GONE = "deleted by someone else: nothing of it is left where it ran"


async def observe(ctx: Context) -> None:
    """One pass over all live jobs. A write that finds another status than was seen is dropped."""
    async with transaction(ctx.sessions) as session:
        rows = await db_jobs.live(session)
    refs = {JobRef(row.uuid, row.attempt): row for row in rows}
    seen = await ctx.launcher.observe(list(refs))
    for ref, row in refs.items():
        observation = seen.get(ref)
        if observation is None:
            observation = _absent(ref, row)
        if observation is not None and _is_news(row, observation):
            await _apply(ctx, row, observation)
    await _settle_rest(ctx)


def _absent(ref: JobRef, row: AnyRow) -> JobObservation | None:
    """What it means that the launcher knows nothing of a claimed job."""
    asked = row.stop_requested_at or row.deleted_at or Status(row.experiment_status) in DONE
    if Status(row.status) is Status.SCHEDULED:
        # Claimed and not there yet: it will be launched, unless it is to end: then it never starts.
        return JobObservation(ref, Status.STOPPED) if asked or row.ending else None
    return JobObservation(ref, Status.FAILED, GONE, retryable=False)


def _is_news(row: AnyRow, observation: JobObservation) -> bool:
    return observation.status is not Status(row.status)


async def _apply(ctx: Context, row: AnyRow, observation: JobObservation) -> None:
    async with transaction(ctx.sessions) as session:
        for step in _steps(row, observation):
            if not await _move(session, row, step[0], step[1], observation):
                return
            await settle(session, row.experiment_id, ctx.policy)
        if observation.message and observation.status not in DONE:
            await _say(session, row, observation.message)


def _steps(row: AnyRow, observation: JobObservation) -> Iterable[tuple[Status, Status]]:
    """The moves from the row's status to the observed one: what ran and ended between two looks was
    `running` in between."""
    seen = Status(row.status)
    to = observation.status
    ran = observation.started_at is not None and to in DONE
    if ran and seen in {Status.SCHEDULED, Status.STARTING}:
        if seen is Status.SCHEDULED:
            yield seen, Status.STARTING
        yield Status.STARTING, Status.RUNNING
        seen = Status.RUNNING
    elif to is Status.RUNNING and seen is Status.SCHEDULED:
        yield seen, Status.STARTING
        seen = Status.STARTING
    yield seen, to


async def _move(
    session: AsyncSession, row: AnyRow, seen: Status, to: Status, observation: JobObservation
) -> bool:
    final = to in DONE
    values: dict[str, object] = {"node_scheduled": observation.node} if observation.node else {}
    if final:
        values |= {
            "exit_code": observation.exit_code,
            "outcome": observation.message,
            "infrastructure": observation.infrastructure,
            "retryable": observation.retryable,
        }
        to = await _verdict(session, row, to)
    return await move_job(
        session,
        row.id,
        seen,
        to,
        observation.message if to is observation.status else None,
        at=_at(row, to, observation),
        attempt=row.attempt,
        details=_details(observation, final),
        values=values,
    )


def _details(observation: JobObservation, final: bool) -> dict[str, object] | None:
    """The launcher's facts, at a job's end with its exit code."""
    facts = dict(observation.details or {})
    if final and observation.exit_code is not None:
        facts["exit_code"] = observation.exit_code
    return facts or None


async def _verdict(session: AsyncSession, row: AnyRow, to: Status) -> Status:
    """A job that was ended because its experiment was over ends as the master did (`spec.md`, roles)."""
    if to is Status.SUCCEEDED:
        return to
    experiment = await db_experiments.lock(session, row.experiment_id)
    if experiment is not None and experiment.status == Status.SUCCEEDED.value:
        return Status.SUCCEEDED
    return to


def _at(row: AnyRow, to: Status, observation: JobObservation) -> datetime | None:
    """The launcher's own time where it has one, never before what the row says."""
    at = observation.finished_at if to in DONE else observation.started_at
    return None if at is None else max(at, row.started_at or row.created_at)


async def _say(session: AsyncSession, row: AnyRow, message: str) -> None:
    experiment = await db_experiments.lock(session, row.experiment_id)
    if experiment is not None and Status(experiment.status) not in DONE:
        await say_of_experiment(session, row.experiment_id, Status(experiment.status), message)


async def _settle_rest(ctx: Context) -> None:
    """Experiments whose jobs are done but which are not: a crash or a stop came in between."""
    async with transaction(ctx.sessions) as session:
        unsettled = await db_jobs.unsettled(session)
    for experiment_id in unsettled:
        async with transaction(ctx.sessions) as session:
            await settle(session, experiment_id, ctx.policy)
