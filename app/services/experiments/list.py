"""Lists of experiments, of one project or of all that the caller may see."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import list as db
from app.domain.query.parsing import parse_query, parse_sort
from app.services.access import Caller
from app.services.experiments.read import ExperimentJson, experiment_json
from app.services.projects import get_project


@dataclass(frozen=True, slots=True)
class ListWish:
    """What of the list is asked for: the texts of `query` and `sort`, `group`, and the page."""

    query: str
    sort: str
    group: int | None
    limit: int
    offset: int


async def list_project_experiments(
    session: AsyncSession, caller: Caller, username: str, project_name: str, wish: ListWish
) -> tuple[int, list[ExperimentJson]]:
    """How many there are, and one page. Raises NotFound for the project, BadInput for query and sort."""
    project = await get_project(session, caller, username, project_name)
    return await _list(session, caller, project.id, wish)


async def list_all_experiments(
    session: AsyncSession, caller: Caller, wish: ListWish
) -> tuple[int, list[ExperimentJson]]:
    """The same over all projects that the caller may see."""
    return await _list(session, caller, None, wish)


async def _list(
    session: AsyncSession, caller: Caller, project_id: int | None, wish: ListWish
) -> tuple[int, list[ExperimentJson]]:
    conditions = parse_query(wish.query)
    sort = parse_sort(wish.sort)
    if wish.group is not None:
        return 0, []  # there are no groups
    rows = await db.page(
        session,
        caller.user_id,
        project_id=project_id,
        everything=caller.is_superuser,
        conditions=conditions,
        sort=sort,
        limit=wish.limit,
        offset=wish.offset,
    )
    if wish.offset == 0 and len(rows) < wish.limit:
        return len(rows), [experiment_json(row) for row in rows]  # the first page is all there is
    total = await db.count(
        session,
        caller.user_id,
        project_id=project_id,
        everything=caller.is_superuser,
        conditions=conditions,
    )
    return total, [experiment_json(row) for row in rows]
