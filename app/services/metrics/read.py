"""Pages of metrics."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.metrics import read as db
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.metrics.rows import MetricRow


async def list_metrics(
    session: AsyncSession, caller: Caller, path: ExperimentPath, *, limit: int, offset: int
) -> tuple[int, list[MetricRow]]:
    """How many rows the experiment has, and a page of them, oldest first."""
    experiment = await get_brief(session, caller, path)
    count, rows = await db.list_rows(session, experiment.id, limit=limit, offset=offset)
    return count, [
        MetricRow(experiment.id, experiment.uuid, row.id, row.created_at, row.values, row.step)
        for row in rows
    ]
