"""Jobs as people read them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Job

MAX_ID = 2**63 - 1


def _select(experiment_id: int) -> Select[*tuple[Any, ...]]:
    return select(
        Job.id,
        Job.uuid,
        Job.role,
        Job.index,
        Job.experiment_id,
        Job.status,
        Job.created_at,
        Job.updated_at,
        Job.started_at,
        Job.finished_at,
        Job.resources,
        Job.node_scheduled,
        Job.definition,
    ).where(Job.experiment_id == experiment_id)


async def page(
    session: AsyncSession, experiment_id: int, *, limit: int, offset: int
) -> tuple[int, Sequence[AnyRow]]:
    """How many jobs it has, and some, the master first."""
    query = _select(experiment_id).order_by(Job.id).limit(limit).offset(offset)
    rows = (await session.execute(query)).all()
    if offset == 0 and len(rows) < limit:
        return len(rows), rows
    count = select(func.count()).select_from(Job).where(Job.experiment_id == experiment_id)
    return int((await session.execute(count)).scalar_one()), rows


async def find(session: AsyncSession, experiment_id: int, job_id: int) -> AnyRow | None:
    """One job of the experiment."""
    if not 0 < job_id <= MAX_ID:
        return None
    return (await session.execute(_select(experiment_id).where(Job.id == job_id))).one_or_none()
