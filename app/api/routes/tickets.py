"""Tickets for log streams."""

from fastapi import Request, Response, status

from app.api.answers import JsonAnswer
from app.api.deps import CallerDep, SessionDep, base_url
from app.api.log_requests import JobId, ticket_path
from app.api.responses import errors
from app.api.routers import api_router
from app.api.routes.logs import JOB_LOGS, LOGS
from app.api.schemas.logs import LogTicket
from app.api.schemas.paths import ExperimentPathDep
from app.domain.times import iso
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath
from app.services.logs.tickets import create_log_ticket

router = api_router("logs")


@router.post(
    f"{LOGS}/ticket",
    response_model=LogTicket,
    status_code=status.HTTP_201_CREATED,
    responses=errors(400, 403, 404),
)
async def create_experiment_log_ticket(
    request: Request, session: SessionDep, caller: CallerDep, path: ExperimentPathDep
) -> Response:
    """Make a ticket for an experiment's log.

    For a browser's EventSource and WebSocket, which can't send headers: it opens this one stream, in all its
    forms, as often as one likes, for 12 hours or until the token that made it dies.
    """
    return await _create(request, session, caller, path, None)


@router.post(
    f"{JOB_LOGS}/ticket",
    response_model=LogTicket,
    status_code=status.HTTP_201_CREATED,
    responses=errors(400, 403, 404),
)
async def create_job_log_ticket(
    request: Request, session: SessionDep, caller: CallerDep, path: ExperimentPathDep, job_id: JobId
) -> Response:
    """Make a ticket for a job's log.

    As for an experiment's log.
    """
    return await _create(request, session, caller, path, job_id)


async def _create(
    request: Request, session: SessionDep, caller: Caller, path: ExperimentPath, job_id: int | None
) -> Response:
    opens = ticket_path(path, job_id)
    made = await create_log_ticket(session, caller, path, job_id, opens)
    return JsonAnswer(
        {
            "ticket": made.ticket,
            "expires_at": iso(made.expires_at),
            "url": f"{base_url(request)}/api/v1{opens}/events?follow=true&ticket={made.ticket}",
        },
        status_code=status.HTTP_201_CREATED,
        headers={"Cache-Control": "no-store"},
    )
