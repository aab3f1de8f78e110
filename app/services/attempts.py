"""From its jobs' statuses to the experiment's: its end, a new attempt, or a step forward."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.work import experiments as db_experiments
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import DONE, Role, Status, experiment_status
from app.services.statuses import move_experiment, move_job, reset_job


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Backoff between attempts: `first` seconds, doubled each time, at most `longest`."""

    first: float
    longest: float

    def delay(self, failures: int) -> timedelta:
        return timedelta(seconds=min(self.longest, self.first * 2 ** min(failures, 30)))


async def settle(
    session: AsyncSession, experiment_id: int, policy: RetryPolicy, held: AnyRow | None = None
) -> None:
    """Bring the experiment's status up to its jobs', which this transaction may just have changed.

    The row is locked first, so that two observers can't settle it differently; `held` is one that this
    transaction has locked and not changed yet.
    """
    row = held or await db_experiments.lock(session, experiment_id)
    if row is None or Status(row.status) in DONE:
        return
    jobs = [job for job in await db_jobs.of_experiment(session, experiment_id) if job.attempt == row.attempt]
    if not jobs:
        return
    master = jobs[0]
    if _stop_decides(row, master):
        await _settle_stopped(session, row, jobs)
        return
    cause = _cause(jobs)
    to = experiment_status(Status(master.status), [Status(job.status) for job in jobs[1:]])
    if cause is not None:
        await _settle_failed(session, row, jobs, cause, policy)
    elif to is Status.STOPPED:
        # Nobody asked for it: someone else ended the master.
        await _end(session, row, Status.FAILED, "stopped by someone else", master.finished_at)
    elif to is Status.SUCCEEDED:
        await _end(session, row, to, None, master.finished_at)
    else:
        await _step_forward(session, row, jobs)


def _cause(jobs: Sequence[AnyRow]) -> AnyRow | None:
    """The job whose failure ends the attempt: the first, unless the master had succeeded by then."""
    failed = [job for job in jobs if Status(job.status) is Status.FAILED]
    if not failed:
        return None
    cause = min(failed, key=lambda job: (job.finished_at, job.id))
    master = jobs[0]
    over = Status(master.status) is Status.SUCCEEDED and master.finished_at <= cause.finished_at
    return None if over else cause


def _since(to: Status, jobs: Sequence[AnyRow]) -> datetime | None:
    """`starting` when its first job was, `running` when its master was."""
    starts = [job.started_at for job in jobs if job.started_at]
    if to is Status.STARTING:
        return min(starts, default=None)
    return jobs[0].started_at if to is Status.RUNNING else None


def _stop_decides(row: AnyRow, master: AnyRow) -> bool:
    """A stop wins over every exit code, unless the master ended before the stop was stored."""
    asked = row.stop_requested_at or row.deleted_at
    if asked is None:
        return False
    return not (Status(master.status) in DONE and master.finished_at and master.finished_at < asked)


async def _settle_stopped(session: AsyncSession, row: AnyRow, jobs: Sequence[AnyRow]) -> None:
    if any(Status(job.status) not in DONE for job in jobs):
        await _step_forward(session, row, jobs)  # it ran, though nobody sees it before its end
        return
    ends = [job.finished_at for job in jobs if job.finished_at]
    await _end(session, row, Status.STOPPED, None, max(ends, default=None))


async def _settle_failed(
    session: AsyncSession, row: AnyRow, jobs: Sequence[AnyRow], cause: AnyRow, policy: RetryPolicy
) -> None:
    message = describe_failure(cause)
    free = cause.infrastructure and row.infrastructure_failures == 0
    paid = cause.retryable and row.retries < row.max_retries
    if not (free or paid):
        await _end(session, row, Status.FAILED, message, cause.finished_at)
        return
    if any(Status(job.status) not in DONE for job in jobs):
        # The others are being stopped; a new attempt starts when the old one is certainly gone.
        await _step_forward(session, row, jobs)
        return
    infrastructure_failures = row.infrastructure_failures + (1 if free else 0)
    retries = row.retries + (0 if free else 1)
    attempts = row.max_retries + 1 + infrastructure_failures
    message = f"attempt {row.attempt + 1} of {attempts}: {message}"
    values = {
        "attempt": row.attempt + 1,
        "retries": retries,
        "infrastructure_failures": infrastructure_failures,
        "launched_at": None,
        "retry_at": datetime.now(UTC) + policy.delay(retries + infrastructure_failures - 1),
    }
    seen = Status(row.status)
    await move_experiment(
        session, row.id, seen, Status.SCHEDULED, message, attempt=row.attempt, values=values
    )
    fresh = {"attempt": row.attempt + 1, "outcome": None, "infrastructure": False, "retryable": True}
    for job in jobs:
        await reset_job(session, job.id, message, values=fresh)


async def _step_forward(session: AsyncSession, row: AnyRow, jobs: Sequence[AnyRow]) -> None:
    """As far as the jobs are that did not fail: it was `running` if its master was."""
    others = [Status(job.status) for job in jobs[1:] if Status(job.status) is not Status.FAILED]
    to = experiment_status(Status(jobs[0].status), others)
    if to not in DONE and to is not Status(row.status):
        await move_experiment(
            session, row.id, Status(row.status), to, attempt=row.attempt, at=_since(to, jobs)
        )


async def fail_launch(session: AsyncSession, experiment_id: int, attempt: int, reason: str) -> None:
    """The launch can't succeed as it stands: its jobs and the experiment fail with the reason."""
    row = await db_experiments.lock(session, experiment_id)
    if row is None or row.attempt != attempt or Status(row.status) in DONE:
        return
    for job in await db_jobs.of_experiment(session, experiment_id):
        await move_job(session, job.id, Status(job.status), Status.FAILED, reason, attempt=attempt)
    await _end(session, row, Status.FAILED, reason, None)


def describe_failure(job: AnyRow) -> str:
    """The reason of a failed job as the experiment tells it: of another role with its name."""
    reason = job.outcome or (f"exit code {job.exit_code}" if job.exit_code is not None else "failed")
    return reason if job.role == Role.MASTER.value else f"{job.role} {job.index}: {reason}"


async def _end(
    session: AsyncSession, row: AnyRow, to: Status, message: str | None, at: datetime | None
) -> None:
    await move_experiment(session, row.id, Status(row.status), to, message, at=at, attempt=row.attempt)
