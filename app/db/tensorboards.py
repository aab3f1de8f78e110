"""Queries on TensorBoards, as their users ask for them."""

from datetime import timedelta

from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, Tensorboard
from app.db.tables.base import new_uuid
from app.domain.lifecycle import DONE, Status

_DONE = [status.value for status in DONE]


async def find(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """An experiment's TensorBoard: id, wanted, status, message, address, secret."""
    query = select(
        Tensorboard.id,
        Tensorboard.wanted,
        Tensorboard.status,
        Tensorboard.message,
        Tensorboard.address,
        Tensorboard.secret,
    ).where(Tensorboard.experiment_id == experiment_id)
    return (await session.execute(query)).one_or_none()


async def want(session: AsyncSession, experiment_id: int) -> None:
    """Store that it is to run, from now on. One that ended begins anew, one that waits to be tried again is
    tried at once."""
    values = {
        "wanted": True,
        "status": Status.SCHEDULED.value,
        "message": None,
        "failures": 0,
        "retry_at": None,
        "requested_at": func.clock_timestamp(),
    }
    await session.execute(
        insert(Tensorboard)
        .values(uuid=new_uuid(), experiment_id=experiment_id, **values)
        .on_conflict_do_nothing(index_elements=["experiment_id"])
    )
    mine = Tensorboard.experiment_id == experiment_id
    await session.execute(
        update(Tensorboard).where(mine).values(wanted=True, requested_at=func.clock_timestamp())
    )
    await session.execute(
        update(Tensorboard)
        .where(mine, Tensorboard.status.in_([*_DONE, Status.SCHEDULED.value]))
        .values(values)
    )
    await _set_flag(session, experiment_id, value=True)


async def unwant(session: AsyncSession, experiment_id: int) -> bool:
    """Store that it is not to run; False where there never was one."""
    statement = (
        update(Tensorboard)
        .where(Tensorboard.experiment_id == experiment_id)
        .values(wanted=False)
        .returning(Tensorboard.id)
    )
    if (await session.execute(statement)).one_or_none() is None:
        return False
    await _set_flag(session, experiment_id, value=False)
    return True


async def touch(session: AsyncSession, tensorboard_id: int, seldom: timedelta) -> None:
    """Note that it was asked for, unless that was noted less than `seldom` ago."""
    now = func.clock_timestamp()
    await session.execute(
        update(Tensorboard)
        .where(and_(Tensorboard.id == tensorboard_id, Tensorboard.requested_at < now - seldom))
        .values(requested_at=now)
    )


async def _set_flag(session: AsyncSession, experiment_id: int, *, value: bool) -> None:
    await session.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id, Experiment.has_tensorboard.is_distinct_from(value))
        .values(has_tensorboard=value)
    )
