"""An experiment becomes ready to run: its jobs' rows, and its first attempt."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables.base import new_uuid
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import Status
from app.domain.spec.quantities import total
from app.domain.spec.rendered import RenderedSpec
from app.services.statuses import move_experiment, start_job_histories


async def schedule(session: AsyncSession, row: AnyRow, rendered: RenderedSpec, build_id: int | None) -> bool:
    """Move it to `scheduled` at its first attempt, with a row for each job; False when it moved meanwhile."""
    values = {"attempt": 1} if build_id is None else {"attempt": 1, "build_id": build_id}
    if not await move_experiment(session, row.id, Status(row.status), Status.SCHEDULED, values=values):
        return False
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
        for job in rendered.jobs
    ]
    await start_job_histories(session, await db_jobs.add(session, jobs))
    return True
