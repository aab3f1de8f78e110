"""TensorBoards that the reconciler works on."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, Tensorboard
from app.domain.lifecycle import DONE

_DONE = [status.value for status in DONE]


@cache
def _live() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Tensorboard.id,
            Tensorboard.uuid,
            Tensorboard.experiment_id,
            Tensorboard.wanted,
            Tensorboard.attempt,
            Tensorboard.status,
            Tensorboard.message,
            Tensorboard.address,
            Tensorboard.requested_at,
            Tensorboard.started_at,
            Tensorboard.secret,
            Tensorboard.failures,
            Tensorboard.retry_at,
            Experiment.outputs_uuid,
            Experiment.outputs_volume,
            Experiment.deleted_at,
        )
        .join(Experiment, Experiment.id == Tensorboard.experiment_id)
        .where(or_(Tensorboard.wanted, Tensorboard.status.not_in(_DONE)))
        .order_by(Tensorboard.id)
    )


async def live(session: AsyncSession) -> Sequence[AnyRow]:
    """Those that are wanted, or not ended yet: id, uuid, experiment_id, wanted, attempt, status, address,
    requested_at, started_at, secret, failures, retry_at; of the experiment outputs_uuid, outputs_volume,
    deleted_at."""
    return (await session.execute(_live())).all()


async def change(session: AsyncSession, row: AnyRow, values: dict[str, Any]) -> bool:
    """Set columns if its status and attempt are those of `row`; whether they were."""
    statement = (
        update(Tensorboard)
        .where(
            Tensorboard.id == row.id,
            Tensorboard.status == row.status,
            Tensorboard.attempt == row.attempt,
        )
        .values(values)
        .returning(Tensorboard.id)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def unwant(session: AsyncSession, row: AnyRow, message: str, *, asked_before: datetime) -> bool:
    """Store that it is not to run any more, unless somebody asked for it meanwhile."""
    statement = (
        update(Tensorboard)
        .where(Tensorboard.id == row.id, Tensorboard.wanted, Tensorboard.requested_at <= asked_before)
        .values(wanted=False, message=message)
        .returning(Tensorboard.id)
    )
    if (await session.execute(statement)).one_or_none() is None:
        return False
    await session.execute(
        update(Experiment).where(Experiment.id == row.experiment_id).values(has_tensorboard=False)
    )
    return True
