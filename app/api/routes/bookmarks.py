"""Bookmarks on experiments and projects."""

from fastapi import Request, Response, status

from app.api.answers import JsonAnswer
from app.api.deps import CallerDep, PageDep, SessionDep, page_links
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.bookmarks import (
    Bookmark,
    ExperimentBookmarkPage,
    ProjectBookmark,
    ProjectBookmarkPage,
)
from app.api.schemas.paths import Caller, ExperimentPathDep, ProjectName, Username
from app.api.schemas.projects import ProjectSummary
from app.services import bookmarks

router = api_router("bookmarks")


@router.get("/bookmarks/{username}/experiments", response_model=ExperimentBookmarkPage, responses=errors(400))
async def list_bookmarked_experiments(
    request: Request, username: Caller, caller: CallerDep, session: SessionDep, page: PageDep
) -> Response:
    """List marked experiments.

    Those that the caller marked and may still see, the last marked first. Someone else's list is empty.
    """
    count, rows = await bookmarks.list_experiments(
        session, caller, username, limit=page.limit, offset=page.offset
    )
    links = page_links(request, page, count)
    results = [{"content_object": row} for row in rows]
    return JsonAnswer({"count": count, "next": links.next, "previous": links.previous, "results": results})


@router.get("/bookmarks/{username}/projects", responses=errors(400))
async def list_bookmarked_projects(
    request: Request, username: Caller, caller: CallerDep, session: SessionDep, page: PageDep
) -> ProjectBookmarkPage:
    """List marked projects.

    Those that the caller marked and may still see, the last marked first. Someone else's list is empty.
    """
    count, rows = await bookmarks.list_projects(
        session, caller, username, limit=page.limit, offset=page.offset
    )
    links = page_links(request, page, count)
    results = [ProjectBookmark(content_object=ProjectSummary.model_validate(row)) for row in rows]
    return ProjectBookmarkPage(count=count, next=links.next, previous=links.previous, results=results)


@router.post(
    "/{username}/{project_name}/bookmark", status_code=status.HTTP_201_CREATED, responses=errors(404)
)
async def bookmark_project(
    username: Username, project_name: ProjectName, caller: CallerDep, session: SessionDep
) -> Bookmark:
    """Mark a project.

    Once more changes nothing.
    """
    await bookmarks.bookmark_project(session, caller, username, project_name)
    return Bookmark(bookmarked=True)


@router.delete(
    "/{username}/{project_name}/unbookmark", status_code=status.HTTP_204_NO_CONTENT, responses=errors(404)
)
async def unbookmark_project(
    username: Username, project_name: ProjectName, caller: CallerDep, session: SessionDep
) -> None:
    """Take the mark off a project.

    Without one this changes nothing.
    """
    await bookmarks.unbookmark_project(session, caller, username, project_name)


@router.post(
    "/{username}/{project_name}/experiments/{id}/bookmark",
    status_code=status.HTTP_201_CREATED,
    responses=errors(404),
)
async def bookmark_experiment(path: ExperimentPathDep, caller: CallerDep, session: SessionDep) -> Bookmark:
    """Mark an experiment.

    Once more changes nothing.
    """
    await bookmarks.bookmark_experiment(session, caller, path)
    return Bookmark(bookmarked=True)


@router.delete(
    "/{username}/{project_name}/experiments/{id}/unbookmark",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=errors(404),
)
async def unbookmark_experiment(path: ExperimentPathDep, caller: CallerDep, session: SessionDep) -> None:
    """Take the mark off an experiment.

    Without one this changes nothing.
    """
    await bookmarks.unbookmark_experiment(session, caller, path)
