"""Experiments become ready to run: their jobs' rows, and their first attempts."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables.base import new_uuid
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import Status
from app.domain.spec.quantities import total
from app.domain.spec.rendered import RenderedSpec
from app.services.statuses import move_experiments, start_job_histories

Rendered = tuple[AnyRow, RenderedSpec]


async def schedule(session: AsyncSession, row: AnyRow, rendered: RenderedSpec, build_id: int | None) -> bool:
    """Move it to `scheduled` at its first attempt, with a row for each job; False when it moved meanwhile."""
    return bool(await schedule_all(session, [(row, rendered)], build_id))


async def schedule_all(
    session: AsyncSession, ready: Sequence[Rendered], build_id: int | None = None
) -> set[int]:
    """The same of several at once; gives the ids of those that had not moved meanwhile."""
    values = {"attempt": 1} if build_id is None else {"attempt": 1, "build_id": build_id}
    moved: set[int] = set()
    for seen in {row.status for row, _ in ready}:
        ids = [row.id for row, _ in ready if row.status == seen]
        moved |= await move_experiments(session, ids, Status(seen), Status.SCHEDULED, values)
    jobs = [
        {
            "uuid": new_uuid(),
            "experiment_id": row.id,
            "role": job.role.value,
            "index": job.index,
            "status": Status.SCHEDULED.value,
            "attempt": 1,
            "resources": total((job.resources,)),
        }
        for row, rendered in ready
        if row.id in moved
        for job in rendered.jobs
    ]
    if jobs:
        await start_job_histories(session, await db_jobs.add(session, jobs))
    return moved
