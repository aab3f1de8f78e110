"""Changes of what people say of an experiment, and of what they want of it."""

from typing import Any

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.rows import AnyRow
from app.db.tables import Experiment, Job
from app.domain.lifecycle import DONE

_DONE = [status.value for status in DONE]


async def lock(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """What a change works from, locked until the transaction ends; None when it was deleted meanwhile."""
    query = (
        select(
            Experiment.id,
            Experiment.status,
            Experiment.name,
            Experiment.description,
            Experiment.tags,
            Experiment.config,
            Experiment.given_declarations,
            Experiment.declarations,
            Experiment.data_refs,
            Experiment.launched_at,
            Experiment.project_id,
        )
        .where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
        .with_for_update()
    )
    return (await session.execute(query)).one_or_none()


async def update_columns(session: AsyncSession, experiment_id: int, values: dict[str, Any]) -> None:
    """Set plain columns (never the status), and `updated_at`."""
    await session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id)
        .values(**values, updated_at=func.clock_timestamp())
    )


async def want_stop(session: AsyncSession, experiment_id: int) -> None:
    """Store that it is to stop; the first time stays."""
    await session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id, Experiment.status.not_in(_DONE))
        .values(
            stop_requested_at=func.coalesce(Experiment.stop_requested_at, func.clock_timestamp()),
            updated_at=func.clock_timestamp(),
        )
    )


async def want_deleted(session: AsyncSession, experiment_id: int) -> None:
    """Hide it at once; those that name it as their original name nothing from now on."""
    await session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id)
        .values(deleted_at=func.coalesce(Experiment.deleted_at, func.clock_timestamp()))
    )
    copies = select(Experiment.id).where(Experiment.original_id == experiment_id)
    locked = copies.order_by(Experiment.id).with_for_update().scalar_subquery()
    await session.execute(update(Experiment).where(Experiment.id.in_(locked)).values(original_id=None))


async def outputs_in_use(session: AsyncSession, outputs_uuid: str) -> bool:
    """Whether an experiment that writes to these outputs is not done, or has a job that isn't."""
    one = aliased(Experiment)
    live = exists().where(Job.experiment_id == one.id, Job.status.not_in(_DONE))
    query = select(
        exists().where(and_(one.outputs_uuid == outputs_uuid, or_(one.status.not_in(_DONE), live)))
    )
    return bool((await session.execute(query)).scalar_one())
