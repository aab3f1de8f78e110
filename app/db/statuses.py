"""Guarded updates of status words, and the rows of their history. Used by `services/statuses.py` alone."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Update, any_, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, BuildStatus, Experiment, ExperimentStatus, Job, JobStatus
from app.domain.lifecycle import DONE, LAUNCHED, Status

Table = type[Experiment] | type[Job] | type[Build]

_ADD_EXPERIMENT_STATUS = insert(ExperimentStatus).returning(ExperimentStatus.id)
_ADD_JOB_STATUS = insert(JobStatus)


@cache
def _move(
    table: Table, seen: Status, to: Status, names: tuple[str, ...], timed: bool, of_attempt: bool
) -> Update:
    """The update for rows of `ids`, with `at` where it is timed, `of_attempt`, and a `new_…` for each other
    column. Made once: moves are most of what is written."""
    now: Any = bindparam("at", type_=DateTime(timezone=True)) if timed else func.statement_timestamp()
    # The statement's time, not the transaction's: histories are ordered by when things happened.
    changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    changes |= {"status": to.value, "updated_at": func.clock_timestamp()}
    if to in LAUNCHED or (to in DONE and seen in LAUNCHED):
        changes.setdefault("started_at", func.coalesce(table.started_at, now))
    changes["finished_at"] = now if to in DONE else None
    given = select(table.id).where(
        table.id == any_(bindparam("ids", type_=ARRAY(BigInteger))), table.status == seen.value
    )
    if of_attempt:
        given = given.where(table.attempt == bindparam("of_attempt"))
    locked = given.order_by(table.id).with_for_update().scalar_subquery()
    statement = update(table).where(table.id.in_(locked)).values(changes)
    return statement.returning(table.id, func.statement_timestamp())


async def _moved(
    session: AsyncSession,
    table: Table,
    ids: Sequence[int],
    seen: Status,
    to: Status,
    values: Mapping[str, Any] | None,
    at: datetime | None = None,
    attempt: int | None = None,
) -> dict[int, datetime]:
    """Those that still had `seen` (locked in one order), and the time that the update wrote, for the rows of
    the history."""
    values = values or {}
    statement = _move(table, seen, to, tuple(values), at is not None, attempt is not None)
    given: dict[str, Any] = {"ids": list(ids)} | {f"new_{name}": value for name, value in values.items()}
    if at is not None:
        given["at"] = at
    if attempt is not None:
        given["of_attempt"] = attempt
    return {row[0]: at or row[1] for row in await session.execute(statement, given)}


async def update_experiment(
    session: AsyncSession,
    experiment_id: int,
    seen: Status,
    to: Status,
    *,
    at: datetime | None = None,
    attempt: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> datetime | None:
    """Set the status where it is still `seen`; when, or None where it was not."""
    moved = await _moved(session, Experiment, [experiment_id], seen, to, values, at, attempt)
    return moved.get(experiment_id)


async def update_experiments(
    session: AsyncSession, ids: Sequence[int], seen: Status, to: Status, values: Mapping[str, Any]
) -> dict[int, datetime]:
    """Set the status of those that still have `seen`; gives them, and when."""
    return await _moved(session, Experiment, ids, seen, to, values)


async def update_job(
    session: AsyncSession,
    job_id: int,
    seen: Status,
    to: Status,
    *,
    at: datetime | None = None,
    attempt: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> datetime | None:
    """Set the status where it is still `seen`; when, or None where it was not."""
    return (await _moved(session, Job, [job_id], seen, to, values, at, attempt)).get(job_id)


async def update_build(
    session: AsyncSession,
    build_id: int,
    seen: Status,
    to: Status,
    *,
    at: datetime | None = None,
    values: Mapping[str, Any] | None = None,
) -> datetime | None:
    """Set the status where it is still `seen`; when, or None where it was not."""
    return (await _moved(session, Build, [build_id], seen, to, values, at)).get(build_id)


async def reset_job(session: AsyncSession, job_id: int, to: Status, values: Mapping[str, Any]) -> None:
    """Take a job out of a finished status, for a new attempt."""
    await session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(
            status=to.value,
            updated_at=func.clock_timestamp(),
            started_at=None,
            finished_at=None,
            exit_code=None,
            **values,
        )
    )


async def add_experiment_status(
    session: AsyncSession,
    experiment_id: int,
    status: Status,
    message: str | None,
    *,
    at: datetime | None = None,
) -> int:
    """A row of the history; gives its id."""
    values: dict[str, Any] = {"experiment_id": experiment_id, "status": status.value, "message": message}
    if at is not None:
        values["created_at"] = at
    return (await session.execute(_ADD_EXPERIMENT_STATUS, values)).scalar_one()


async def add_experiment_statuses(
    session: AsyncSession, moved: Mapping[int, datetime], status: Status
) -> None:
    """A row of the history of each of these experiments, which moved at these times."""
    rows = [{"experiment_id": id, "status": status.value, "created_at": at} for id, at in moved.items()]
    await session.execute(insert(ExperimentStatus), rows)


async def add_job_statuses(session: AsyncSession, job_ids: Iterable[int], status: Status) -> None:
    """A row of the history of each of these jobs, at least one, without a message."""
    rows = [{"job_id": job_id, "status": status.value} for job_id in job_ids]
    await session.execute(_ADD_JOB_STATUS, rows)


async def get_experiment_status(session: AsyncSession, status_id: int) -> AnyRow:
    """One row of the history: id, uuid, created_at, message, status, owner_id."""
    query = select(
        ExperimentStatus.id,
        ExperimentStatus.uuid,
        ExperimentStatus.created_at,
        ExperimentStatus.message,
        ExperimentStatus.status,
        ExperimentStatus.experiment_id.label("owner_id"),
    )
    return (await session.execute(query.where(ExperimentStatus.id == status_id))).one()


async def add_experiment_message(
    session: AsyncSession,
    experiment_id: int,
    status: Status,
    message: str,
    *,
    at: datetime | None = None,
) -> bool:
    """A row that only says something about a status, where the experiment still has it and the newest row
    does not say it already; whether it was added. Locks the experiment: a final status is the last word."""
    present = select(Experiment.status).where(Experiment.id == experiment_id).with_for_update()
    if (await session.execute(present)).scalar_one_or_none() != status.value:
        return False
    newest = (
        select(ExperimentStatus.status, ExperimentStatus.message)
        .where(ExperimentStatus.experiment_id == experiment_id)
        .order_by(ExperimentStatus.id.desc())
        .limit(1)
    )
    row = (await session.execute(newest)).one_or_none()
    if row is not None and (row.status, row.message) == (status.value, message):
        return False
    await add_experiment_status(session, experiment_id, status, message, at=at)
    return True


async def add_job_status(
    session: AsyncSession,
    job_id: int,
    status: Status,
    message: str | None,
    *,
    at: datetime | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """A row of a job's history."""
    values: dict[str, Any] = {
        "job_id": job_id,
        "status": status.value,
        "message": message,
        "details": dict(details) if details is not None else None,
    }
    if at is not None:
        values["created_at"] = at
    await session.execute(_ADD_JOB_STATUS, values)


async def add_build_status(
    session: AsyncSession,
    build_id: int,
    status: Status,
    message: str | None,
    *,
    at: datetime | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """A row of a build's history."""
    values: dict[str, Any] = {
        "build_id": build_id,
        "status": status.value,
        "message": message,
        "details": dict(details) if details is not None else None,
    }
    if at is not None:
        values["created_at"] = at
    await session.execute(insert(BuildStatus).values(values))
