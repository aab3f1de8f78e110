"""An experiment's TensorBoard: start, stop, and where it is."""

from typing import Annotated

from fastapi import Body, Request, Response

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, CallerDep, ServiceDep, SessionDep, base_url
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.paths import ExperimentPathDep
from app.api.schemas.tensorboard import Tensorboard, TensorboardStart
from app.services import tensorboards

router = api_router("tensorboard")

PATH = "/{username}/{project_name}/experiments/{id}/tensorboard"


@router.get(PATH, response_model=Tensorboard, responses=errors(400, 404))
async def get_tensorboard(
    request: Request, session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep
) -> Response:
    """Get an experiment's TensorBoard.

    While it runs, with a URL that lets one browser in.
    """
    return JsonAnswer(await tensorboards.read_tensorboard(session, caller, path, base_url(request)))


@router.post(
    f"{PATH}/start",
    response_model=Tensorboard,
    status_code=201,
    responses={
        200: {"description": "It ran already.", "model": Tensorboard},
        **errors(400, 403, 404, 503),
    },
)
async def start_tensorboard(
    request: Request,
    service: ServiceDep,
    caller: CallerDep,
    path: ExperimentPathDep,
    body: Annotated[TensorboardStart | None, Body()] = None,
) -> Response:
    """Start an experiment's TensorBoard.

    Answers once its page does.
    """
    started, found = await tensorboards.start_tensorboard(
        service.sessions,
        service.listener,
        caller,
        path,
        service.settings.tensorboard_start,
        base_url(request),
    )
    return JsonAnswer(found, status_code=201 if started else 200)


@router.post(f"{PATH}/stop", response_model=Tensorboard, responses=errors(400, 403, 404))
async def stop_tensorboard(session: SessionDep, caller: CallerDep, path: ExperimentPathDep) -> Response:
    """Stop an experiment's TensorBoard.

    There may be none.
    """
    return JsonAnswer(await tensorboards.stop_tensorboard(session, caller, path))
