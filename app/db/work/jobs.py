"""Jobs that the reconciler follows."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    and_,
    any_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.rows import AnyRow
from app.db.tables import Experiment, Job
from app.domain.lifecycle import DONE, Role, Status

_DONE = [status.value for status in DONE]
_PEER = aliased(Job)
_ENDING = exists().where(
    _PEER.experiment_id == Job.experiment_id,
    _PEER.attempt == Job.attempt,
    or_(
        _PEER.status == Status.FAILED.value,
        and_(_PEER.role == Role.MASTER.value, _PEER.status.in_(_DONE)),
    ),
)
_LIVE = (  # made once: it is asked several times a second
    select(
        Job.id,
        Job.uuid,
        Job.role,
        Job.index,
        Job.status,
        Job.attempt,
        Job.created_at,
        Job.started_at,
        Experiment.id.label("experiment_id"),
        Experiment.uuid.label("experiment_uuid"),
        Experiment.status.label("experiment_status"),
        Experiment.launched_at,
        Experiment.stop_requested_at,
        Experiment.deleted_at,
        _ENDING.label("ending"),
    )
    .join(Experiment, Experiment.id == Job.experiment_id)
    .where(
        Job.status.not_in(_DONE),
        or_(Experiment.launched_at.is_not(None), Experiment.status.in_(_DONE)),
    )
    .order_by(Job.id)
)

_OF_EXPERIMENTS = (
    select(
        Job.id,
        Job.experiment_id,
        Job.uuid,
        Job.role,
        Job.index,
        Job.status,
        Job.attempt,
        Job.exit_code,
        Job.outcome,
        Job.infrastructure,
        Job.retryable,
        Job.created_at,
        Job.started_at,
        Job.finished_at,
    )
    .where(Job.experiment_id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .order_by(Job.id)
)

_SET_DEFINITION = (
    update(Job)
    .where(Job.id == bindparam("job_id"))
    .values(updated_at=func.clock_timestamp(), definition=bindparam("launched"))
)


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert jobs; gives their ids in order."""
    statement = insert(Job).returning(Job.id, sort_by_parameter_order=True)
    return list((await session.execute(statement, list(rows))).scalars())


async def of_experiment(session: AsyncSession, experiment_id: int) -> Sequence[AnyRow]:
    """An experiment's jobs, master first: id, uuid, role, index, status, attempt, exit_code, times."""
    return (await of_experiments(session, [experiment_id])).get(experiment_id, [])


async def of_experiments(session: AsyncSession, ids: Sequence[int]) -> dict[int, list[AnyRow]]:
    """As `of_experiment`, of several; one without jobs is left out."""
    found: dict[int, list[AnyRow]] = {}
    for row in await session.execute(_OF_EXPERIMENTS, {"ids": ids}):
        found.setdefault(row.experiment_id, []).append(row)
    return found


async def live(session: AsyncSession) -> Sequence[AnyRow]:
    """Every job of a claimed attempt that is not done, with what its experiment wants. `ending`: its master
    is done or one of its jobs failed, so that the others are to be stopped."""
    return (await session.execute(_LIVE)).all()


@cache
def _unsettled() -> Select[*tuple[Any, ...]]:
    return (
        select(Experiment.id)
        .join(Job, Job.experiment_id == Experiment.id)
        .where(
            Experiment.status.not_in(_DONE),
            Experiment.launched_at.is_not(None),
            Job.status.in_(_DONE),
            Job.attempt == Experiment.attempt,
        )
        .distinct()
    )


async def unsettled(session: AsyncSession) -> list[int]:
    """Launched experiments that are not done though a job of their attempt is."""
    return list((await session.execute(_unsettled())).scalars())


async def refs_of(session: AsyncSession, experiment_id: int) -> list[tuple[int, str, int]]:
    """Every attempt of every job that may have been launched: job id, uuid, attempt."""
    query = select(Job.id, Job.uuid, Job.attempt).where(Job.experiment_id == experiment_id)
    rows = (await session.execute(query)).all()
    return [(row.id, row.uuid, attempt) for row in rows for attempt in range(1, row.attempt + 1)]


async def known(session: AsyncSession, uuids: Sequence[str]) -> set[str]:
    """Which of these job uuids have a row."""
    query = select(Job.uuid).where(Job.uuid.in_(uuids))
    return set((await session.execute(query)).scalars())


async def set_definition(session: AsyncSession, job_id: int, definition: Mapping[str, object]) -> None:
    """Keep what was launched."""
    await session.execute(_SET_DEFINITION, {"job_id": job_id, "launched": definition})
