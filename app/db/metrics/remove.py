"""Removing the metrics of an experiment that is being deleted."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Metric


async def remove_of_experiment(session: AsyncSession, experiment_id: int) -> None:
    """Delete every row of an experiment. Call it after the delete of the experiment's own row, in the same
    transaction: that waits for writers which are still at work, and lets no other begin."""
    await session.execute(delete(Metric).where(Metric.experiment_id == experiment_id))
