"""A project's builds."""

from fastapi import Request, Response

from app.api.answers import JsonAnswer
from app.api.deps import CallerDep, PageDep, SessionDep, page_answer
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.jobs import BuildDetail, BuildPage
from app.api.schemas.paths import BuildId, ProjectName, Username
from app.api.schemas.statuses import BuildStatusPage
from app.services import builds

router = api_router("builds")

PATH = "/{username}/{project_name}/builds"


@router.get(PATH, response_model=BuildPage, responses=errors(400, 404))
async def list_builds(
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    page: PageDep,
) -> Response:
    """List a project's builds.

    Newest first.
    """
    count, rows = await builds.list_builds(
        session, caller, username, project_name, limit=page.limit, offset=page.offset
    )
    return page_answer(request, page, count, rows)


@router.get(f"{PATH}/{{id}}", response_model=BuildDetail, responses=errors(400, 404))
async def get_build(
    session: SessionDep, caller: CallerDep, username: Username, project_name: ProjectName, build_id: BuildId
) -> Response:
    """Get a build.

    With what was launched.
    """
    return JsonAnswer(await builds.get_build(session, caller, username, project_name, build_id))


@router.get(f"{PATH}/{{id}}/statuses", response_model=BuildStatusPage, responses=errors(400, 404))
async def list_build_statuses(
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    build_id: BuildId,
    page: PageDep,
) -> Response:
    """List a build's statuses.

    Its history, oldest first.
    """
    count, rows = await builds.list_build_statuses(
        session, caller, username, project_name, build_id, limit=page.limit, offset=page.offset
    )
    return page_answer(request, page, count, rows)
