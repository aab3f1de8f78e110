"""Histories of experiments, and what trackers post of their status."""

from fastapi import Request, Response

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, PageDep, SessionDep, page_answer
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.paths import ExperimentPathDep
from app.api.schemas.statuses import ExperimentStatus, ExperimentStatusCreate, ExperimentStatusPage
from app.services.tracking import add_status, list_statuses

router = api_router("statuses")

PATH = "/{username}/{project_name}/experiments/{id}/statuses"


@router.get(PATH, response_model=ExperimentStatusPage, responses=errors(400, 403, 404))
async def list_experiment_statuses(
    request: Request, session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep, page: PageDep
) -> Response:
    """List an experiment's statuses.

    Its history, oldest first.
    """
    count, rows = await list_statuses(session, caller, path, limit=page.limit, offset=page.offset)
    return page_answer(request, page, count, rows)


@router.post(PATH, response_model=ExperimentStatus, status_code=201, responses=errors(400, 403, 404, 409))
async def create_experiment_status(
    session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep, body: ExperimentStatusCreate
) -> Response:
    """Post a status.

    Moves an experiment that is only tracked; of others it is kept as a message.
    """
    row = await add_status(session, caller, path, body.status, body.message)
    return JsonAnswer(row, status_code=201)
