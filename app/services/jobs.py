"""An experiment's jobs, and their histories, as people read them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import history
from app.db import jobs as db
from app.db.rows import AnyRow
from app.db.tables import JobStatus
from app.domain.times import iso
from app.errors import NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief

Json = dict[str, Any]


def job_json(row: AnyRow, path: ExperimentPath) -> Json:
    """The 12 documented keys."""
    return {
        "id": row.id,
        "uuid": row.uuid,
        "unique_name": f"{path.username}.{path.project}.{row.experiment_id}.{row.id}.{row.role}",
        "role": row.role,
        "experiment": row.experiment_id,
        "last_status": row.status,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "started_at": iso(row.started_at) if row.started_at else None,
        "finished_at": iso(row.finished_at) if row.finished_at else None,
        "resources": row.resources,
        "node_scheduled": row.node_scheduled,
    }


async def list_jobs(
    session: AsyncSession, caller: Caller, path: ExperimentPath, *, limit: int, offset: int
) -> tuple[int, list[Json]]:
    """How many jobs the experiment has, and a page of them. Raises NotFound, Forbidden."""
    brief = await get_brief(session, caller, path)
    count, rows = await db.page(session, brief.id, limit=limit, offset=offset)
    return count, [job_json(row, path) for row in rows]


async def get_job(session: AsyncSession, caller: Caller, path: ExperimentPath, job_id: int) -> Json:
    """One job, with what was launched. Raises NotFound, Forbidden."""
    row = await _find(session, caller, path, job_id)
    return {**job_json(row, path), "definition": row.definition}


async def list_job_statuses(
    session: AsyncSession, caller: Caller, path: ExperimentPath, job_id: int, *, limit: int, offset: int
) -> tuple[int, list[Json]]:
    """The job's history, oldest first. Raises NotFound, Forbidden."""
    job = await _find(session, caller, path, job_id)
    count, rows = await history.page(session, JobStatus, job.id, limit=limit, offset=offset)
    return count, history_json(rows, "job", with_details=True)


async def _find(session: AsyncSession, caller: Caller, path: ExperimentPath, job_id: int) -> AnyRow:
    brief = await get_brief(session, caller, path)
    row = await db.find(session, brief.id, job_id)
    if row is None:
        raise NotFound("There is no such job.")
    return row


def history_json(rows: Sequence[AnyRow], owner: str, *, with_details: bool) -> list[Json]:
    """Rows of a history; `owner` is the key that holds whose it is."""
    return [
        {
            "id": row.id,
            "uuid": row.uuid,
            "created_at": iso(row.created_at),
            "message": row.message,
            "status": row.status,
            **({"details": row.details} if with_details else {}),
            owner: row.owner_id,
        }
        for row in rows
    ]
