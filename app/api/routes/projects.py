"""Projects."""

from typing import Any

from fastapi import Request, status

from app.api.deps import CallerDep, PageDep, SessionDep, page_links
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.paths import ProjectName, Username
from app.api.schemas.projects import Project, ProjectCreate, ProjectPage, ProjectSummary, ProjectUpdate
from app.services import projects
from app.services.projects import NewProject

router = api_router("projects")


@router.post("/projects", status_code=status.HTTP_201_CREATED, responses=errors(400))
async def create_project(body: ProjectCreate, caller: CallerDep, session: SessionDep) -> Project:
    """Create a project.

    It is the caller's; a name can be used once among one owner's.
    """
    new = NewProject(body.name, body.description, body.tags, bool(body.is_public))
    return Project.model_validate(await projects.create_project(session, caller, new))


@router.get("/{username}", responses=errors(400, 404))
async def list_projects(
    request: Request, username: Username, caller: CallerDep, session: SessionDep, page: PageDep
) -> ProjectPage:
    """List a user's projects.

    Those that the caller may see, newest update first.
    """
    count, rows = await projects.list_projects(
        session, caller, username, limit=page.limit, offset=page.offset
    )
    links = page_links(request, page, count)
    return ProjectPage(
        count=count,
        next=links.next,
        previous=links.previous,
        results=[ProjectSummary.model_validate(row) for row in rows],
    )


@router.get("/{username}/{project_name}", responses=errors(404))
async def get_project(
    username: Username, project_name: ProjectName, caller: CallerDep, session: SessionDep
) -> Project:
    """Get a project.

    With the counts of what is in it.
    """
    return Project.model_validate(await projects.read_project(session, caller, username, project_name))


@router.patch("/{username}/{project_name}", responses=errors(400, 403, 404))
async def update_project(
    username: Username,
    project_name: ProjectName,
    body: ProjectUpdate,
    caller: CallerDep,
    session: SessionDep,
) -> Project:
    """Change a project.

    Its name, description, tags, and whether it is public.
    """
    return Project.model_validate(
        await projects.update_project(
            session, caller, username, project_name, _changes(body), merge=bool(body.merge)
        )
    )


def _changes(body: ProjectUpdate) -> dict[str, Any]:
    """What was sent. A null can't be a name or a flag: it means "as it is"."""
    values = body.model_dump(include={"name", "description", "tags", "is_public"}, exclude_unset=True)
    return {
        key: value for key, value in values.items() if value is not None or key in {"description", "tags"}
    }


@router.delete(
    "/{username}/{project_name}", status_code=status.HTTP_204_NO_CONTENT, responses=errors(403, 404)
)
async def delete_project(
    username: Username, project_name: ProjectName, caller: CallerDep, session: SessionDep
) -> None:
    """Delete a project.

    All its experiments go with it; what runs of them is stopped. Its name is free at once.
    """
    await projects.delete_project(session, caller, username, project_name)
