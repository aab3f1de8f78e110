"""Restart, resume and copy: experiments that begin from another."""

from typing import Annotated

from fastapi import Body, Response

from app.api.answers import JsonAnswer
from app.api.deps import CallerDep, ServiceDep, SessionDep
from app.api.responses import errors
from app.api.routers import api_router
from app.api.routes.experiments import IdempotencyKey
from app.api.schemas.experiments import Experiment, ExperimentClone, plain
from app.api.schemas.paths import ExperimentPathDep
from app.services.experiments.clone import Changes, Strategy, clone_experiment
from app.services.experiments.idempotency import read_repeat

router = api_router("experiments")


async def _clone(
    strategy: Strategy,
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    path: ExperimentPathDep,
    body: ExperimentClone | None,
    key: str | None,
) -> JsonAnswer:
    sent = body or ExperimentClone()
    dumped = {"id": path.id, "body": sent.model_dump(mode="json", exclude_unset=True)}
    repeat = read_repeat(key, strategy.value, dumped)
    changes = Changes(
        config=sent.config,
        declarations=plain(sent.declarations),
        description=sent.description,
        update_code=bool(sent.update_code),
    )
    row = await clone_experiment(session, caller, service.settings, path, strategy, changes, repeat)
    return JsonAnswer(row, status_code=201)


@router.post(
    "/{username}/{project_name}/experiments/{id}/restart",
    response_model=Experiment,
    status_code=201,
    responses=errors(400, 403, 404, 409),
)
async def restart_experiment(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    path: ExperimentPathDep,
    body: Annotated[ExperimentClone | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Restart an experiment.

    A new one with fresh outputs.
    """
    return await _clone(Strategy.RESTART, service, session, caller, path, body, idempotency_key)


@router.post(
    "/{username}/{project_name}/experiments/{id}/resume",
    response_model=Experiment,
    status_code=201,
    responses=errors(400, 403, 404, 409),
)
async def resume_experiment(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    path: ExperimentPathDep,
    body: Annotated[ExperimentClone | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Resume an experiment.

    A new one that goes on in the original's outputs.
    """
    return await _clone(Strategy.RESUME, service, session, caller, path, body, idempotency_key)


@router.post(
    "/{username}/{project_name}/experiments/{id}/copy",
    response_model=Experiment,
    status_code=201,
    responses=errors(400, 403, 404, 409),
)
async def copy_experiment(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    path: ExperimentPathDep,
    body: Annotated[ExperimentClone | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Copy an experiment.

    A new one that starts with its own copy of the original's outputs.
    """
    return await _clone(Strategy.COPY, service, session, caller, path, body, idempotency_key)
