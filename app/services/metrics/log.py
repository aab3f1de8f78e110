"""Logging metrics: single points, several, and batches that may be sent again."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.metrics import add as db
from app.domain.metric_points import Batch, Point, Points
from app.errors import Conflict, NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.metrics.rows import MetricRow


async def log_metric(session: AsyncSession, caller: Caller, path: ExperimentPath, point: Point) -> MetricRow:
    """Store one point, whatever the experiment's status."""
    experiment = await get_brief(session, caller, path, change=True)
    row = await db.add_one(session, experiment.id, point)
    if row is None:  # deleted since it was found
        raise NotFound("There is no such experiment.")
    return MetricRow(experiment.id, experiment.uuid, row.id, row.created_at, point.values, point.step)


async def log_metrics(
    session: AsyncSession, caller: Caller, path: ExperimentPath, points: Points
) -> list[MetricRow]:
    """Store points, all or none; gives their rows in order."""
    experiment = await get_brief(session, caller, path, change=True)
    rows = await db.add_many(session, experiment.id, points)
    if len(rows) < len(points.rows):
        raise NotFound("There is no such experiment.")
    return [
        MetricRow(experiment.id, experiment.uuid, row.id, row.created_at, point.values, point.step)
        for row, point in zip(rows, points.rows, strict=True)
    ]


async def log_batch(session: AsyncSession, caller: Caller, path: ExperimentPath, batch: Batch) -> int:
    """Store a batch, all or none, and once however often it is sent; gives its count of points.

    Raises Conflict when its id was given to another content of this experiment.
    """
    experiment = await get_brief(session, caller, path, change=True)
    count = len(batch.points.rows)
    if await db.add_batch(session, experiment.id, batch) == count and count:
        return count
    if batch.batch_id is None:
        if count:
            raise NotFound("There is no such experiment.")
        return 0
    taken = await db.find_batch(session, experiment.id, batch.batch_id)
    if taken is None:
        raise NotFound("There is no such experiment.")
    if taken.body_hash != batch.hash:
        raise Conflict(
            "This batch_id was used for another content in this experiment.", code="batch_mismatch"
        )
    return count
