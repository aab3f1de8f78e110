"""An experiment as it is answered: the 24 documented keys."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import find as db_find
from app.db.experiments import read as db
from app.db.rows import AnyRow
from app.domain.metrics import round_metric
from app.domain.times import iso
from app.errors import NotFound
from app.services.access import Caller, check_access, not_there
from app.services.experiments.find import ExperimentPath

ExperimentJson = dict[str, Any]


def experiment_json(row: AnyRow) -> ExperimentJson:
    """A row of `select_experiments` as plain JSON. Made by hand: validating what comes from our own
    database costs more than the query."""
    base = f"{row.owner}.{row.project_name}"
    return {
        "id": row.id,
        "uuid": row.uuid,
        "name": row.name,
        "unique_name": f"{base}.{row.id}",
        "user": row.maker,
        "description": row.description,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "started_at": iso(row.started_at) if row.started_at else None,
        "finished_at": iso(row.finished_at) if row.finished_at else None,
        "last_status": row.status,
        "original": f"{base}.{row.original_id}" if row.original_id else None,
        "project": base,
        "experiment_group": None,
        "build_job": f"{base}.builds.{row.build_id}" if row.build_id else None,
        "tags": row.tags,
        "config": row.config,
        "declarations": row.declarations,
        "resources": row.resources,
        "last_metric": _rounded(row.last_metric),
        "num_jobs": row.num_jobs,
        "is_clone": row.is_clone,
        "has_tensorboard": row.has_tensorboard,
        "bookmarked": row.bookmarked,
    }


def _rounded(values: dict[str, Any] | None) -> dict[str, Any] | None:
    return {key: round_metric(value) for key, value in values.items()} if values else None


async def read_experiment(session: AsyncSession, caller: Caller, path: ExperimentPath) -> ExperimentJson:
    """The experiment of that path, in one statement. Raises NotFound, Forbidden (a job's token elsewhere)."""
    if caller.is_job:
        check_access(caller, 0, False, change=False, experiment_id=path.id)
    row = None
    if 0 < path.id <= db_find.MAX_ID:
        row = await db.read_at(session, caller.user_id, path.username, path.project, path.id)
    if row is None:
        raise not_there(caller, "There is no such experiment.")
    if not caller.is_job:
        try:
            check_access(caller, row.owner_id, row.is_public, change=False)
        except NotFound:
            raise NotFound("There is no such experiment.") from None
    return experiment_json(row)
