"""Status histories, a page at a time, oldest first."""

from collections.abc import Sequence

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.rows import AnyRow
from app.db.tables import BuildStatus, ExperimentStatus, JobStatus

History = type[ExperimentStatus] | type[JobStatus] | type[BuildStatus]

_OWNERS: dict[History, InstrumentedAttribute[int]] = {
    ExperimentStatus: ExperimentStatus.experiment_id,
    JobStatus: JobStatus.job_id,
    BuildStatus: BuildStatus.build_id,
}


async def page(
    session: AsyncSession, table: History, owner_id: int, *, limit: int, offset: int
) -> tuple[int, Sequence[AnyRow]]:
    """How many rows its history has, and some: id, uuid, created_at, message, status, details, owner_id."""
    owner = _OWNERS[table]
    details = literal(None) if table is ExperimentStatus else table.details  # type: ignore[union-attr]
    query = (
        select(
            table.id,
            table.uuid,
            table.created_at,
            table.message,
            table.status,
            details.label("details"),
            owner.label("owner_id"),
        )
        .where(owner == owner_id)
        .order_by(table.id)
        .limit(limit)
        .offset(offset)
    )
    rows = (await session.execute(query)).all()
    if offset == 0 and len(rows) < limit:
        return len(rows), rows
    count = await session.execute(select(func.count()).select_from(table).where(owner == owner_id))
    return int(count.scalar_one()), rows
