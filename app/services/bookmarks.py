"""Bookmarks: everyone's own marks on experiments and projects."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import bookmarks as db
from app.db.projects import Sight
from app.errors import NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.experiments.read import ExperimentJson, experiment_json
from app.services.projects import ProjectRow, get_project, project_row


async def bookmark_experiment(session: AsyncSession, caller: Caller, path: ExperimentPath) -> None:
    """Mark an experiment that the caller may see; once more changes nothing. Raises NotFound."""
    experiment = await get_brief(session, caller, path)
    try:
        await db.add(session, caller.user_id, experiment_id=experiment.id)
    except IntegrityError:  # it was removed just now
        raise NotFound("There is no such experiment.") from None


async def unbookmark_experiment(session: AsyncSession, caller: Caller, path: ExperimentPath) -> None:
    """Take the mark off, if there is one. Raises NotFound."""
    experiment = await get_brief(session, caller, path)
    await db.remove(session, caller.user_id, experiment_id=experiment.id)


async def bookmark_project(session: AsyncSession, caller: Caller, username: str, name: str) -> None:
    """Mark a project that the caller may see; once more changes nothing. Raises NotFound."""
    project = await get_project(session, caller, username, name)
    try:
        await db.add(session, caller.user_id, project_id=project.id)
    except IntegrityError:  # it was removed just now
        raise NotFound("There is no such project.") from None


async def unbookmark_project(session: AsyncSession, caller: Caller, username: str, name: str) -> None:
    """Take the mark off, if there is one. Raises NotFound."""
    project = await get_project(session, caller, username, name)
    await db.remove(session, caller.user_id, project_id=project.id)


async def list_experiments(
    session: AsyncSession, caller: Caller, username: str, *, limit: int, offset: int
) -> tuple[int, list[ExperimentJson]]:
    """How many experiments the caller marked, and a page of them; of someone else there are none to see."""
    if caller.username != username:
        return 0, []
    sight = Sight(caller.user_id, caller.is_superuser)
    count, rows = await db.read_experiments(session, sight, limit=limit, offset=offset)
    return count, [experiment_json(row) for row in rows]


async def list_projects(
    session: AsyncSession, caller: Caller, username: str, *, limit: int, offset: int
) -> tuple[int, list[ProjectRow]]:
    """How many projects the caller marked, and a page of them; of someone else there are none to see."""
    if caller.username != username:
        return 0, []
    sight = Sight(caller.user_id, caller.is_superuser)
    count, rows = await db.read_projects(session, sight, limit=limit, offset=offset)
    return count, [project_row(row) for row in rows]
