"""What trackers write, and what is read of it."""

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment


async def lock(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """The experiment's status, locked until the transaction ends."""
    query = select(Experiment.status).where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
    return (await session.execute(query.with_for_update())).one_or_none()


async def set_heartbeat(session: AsyncSession, experiment_id: int) -> None:
    """It is alive now."""
    await session.execute(
        update(Experiment).where(Experiment.id == experiment_id).values(heartbeat_at=func.clock_timestamp())
    )


async def find_run(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """run_env, data_refs, code_reference."""
    query = select(Experiment.run_env, Experiment.data_refs, Experiment.code_reference)
    return (await session.execute(query.where(Experiment.id == experiment_id))).one_or_none()
