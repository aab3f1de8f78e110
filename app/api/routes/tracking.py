"""What a tracker calls from inside a job: its token, signs of life, and what was said of the run."""

from typing import Annotated

from fastapi import Depends, Response

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, SessionDep, read_token, token_scheme
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.paths import ExperimentPathDep
from app.api.schemas.tracking import ExperimentRun
from app.api.schemas.users import UserToken
from app.services.experiments.find import get_brief
from app.services.tracking import beat, get_run

router = api_router("tracking")

PATH = "/{username}/{project_name}/experiments/{id}"


@router.post(f"{PATH}/token", response_model=UserToken, responses=errors(400, 403, 404))
async def create_experiment_token(
    session: SessionDep,
    caller: AnyCallerDep,
    path: ExperimentPathDep,
    header: Annotated[str | None, Depends(token_scheme)],
) -> Response:
    """Exchange a token for itself.

    Trackers ask for one at their start; they get the one that they sent, as often as they like.
    """
    await get_brief(session, caller, path)
    return JsonAnswer({"token": read_token(header)})


@router.post(f"{PATH}/_heartbeat", response_class=Response, responses=errors(400, 403, 404))
async def create_experiment_heartbeat(
    session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep
) -> Response:
    """Give a sign of life.

    An experiment that is only tracked and once gave one fails without them.
    """
    await beat(session, caller, path)
    return Response(status_code=200)


@router.get(f"{PATH}/run", response_model=ExperimentRun, responses=errors(400, 403, 404))
async def get_experiment_run(session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep) -> Response:
    """Get what a tracker said of the run.

    Its surroundings, data references and code reference.
    """
    return JsonAnswer(await get_run(session, caller, path))
