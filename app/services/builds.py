"""A project's builds, and their histories, as people read them."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import builds as db
from app.db import history
from app.db.rows import AnyRow
from app.db.tables import BuildStatus
from app.domain.times import iso
from app.errors import NotFound
from app.services.access import Caller
from app.services.jobs import history_json
from app.services.projects import BriefProject, get_project

Json = dict[str, Any]


def build_json(row: AnyRow, project: BriefProject) -> Json:
    """A build: what was to be made, and where it stands."""
    return {
        "id": row.id,
        "uuid": row.uuid,
        "unique_name": f"{project.unique_name}.builds.{row.id}",
        "user": row.maker,
        "project": project.unique_name,
        "hash": row.hash,
        "config": row.spec,
        "environment": row.environment,
        "last_status": row.status,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "started_at": iso(row.started_at) if row.started_at else None,
        "finished_at": iso(row.finished_at) if row.finished_at else None,
    }


async def list_builds(
    session: AsyncSession, caller: Caller, username: str, project_name: str, *, limit: int, offset: int
) -> tuple[int, list[Json]]:
    """How many builds the project has, and a page of them, newest first. Raises NotFound, Forbidden."""
    project = await get_project(session, caller, username, project_name)
    count, rows = await db.page(session, project.id, limit=limit, offset=offset)
    return count, [build_json(row, project) for row in rows]


async def get_build(
    session: AsyncSession, caller: Caller, username: str, project_name: str, build_id: int
) -> Json:
    """One build, with what was launched. Raises NotFound, Forbidden."""
    project = await get_project(session, caller, username, project_name)
    row = await _find(session, project, build_id)
    return {**build_json(row, project), "definition": row.definition}


async def list_build_statuses(
    session: AsyncSession,
    caller: Caller,
    username: str,
    project_name: str,
    build_id: int,
    *,
    limit: int,
    offset: int,
) -> tuple[int, list[Json]]:
    """The build's history, oldest first. Raises NotFound, Forbidden."""
    project = await get_project(session, caller, username, project_name)
    build = await _find(session, project, build_id)
    count, rows = await history.page(session, BuildStatus, build.id, limit=limit, offset=offset)
    return count, [{**row, "job": row["build"]} for row in history_json(rows, "build", with_details=True)]


async def _find(session: AsyncSession, project: BriefProject, build_id: int) -> AnyRow:
    row = await db.find(session, project.id, build_id)
    if row is None:
        raise NotFound("There is no such build.")
    return row
