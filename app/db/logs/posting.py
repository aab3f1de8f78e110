"""What posting lines asks of an experiment."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Experiment


async def lock_status(session: AsyncSession, experiment_id: int) -> str | None:
    """Its status, which nobody changes until the transaction ends; others may lock it so at the same time."""
    query = select(Experiment.status).where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
    return (await session.execute(query.with_for_update(read=True))).scalar_one_or_none()
