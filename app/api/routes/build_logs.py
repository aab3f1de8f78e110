"""Logs of builds: read and followed."""

from fastapi import Response

from app.api.deps import CallerDep, ServiceDep, SessionDep
from app.api.log_requests import LogParametersDep, LogStyleDep
from app.api.routers import api_router
from app.api.routes.logs import ANSWERS, EVENT_ANSWERS, EVENTS, LINES, answer
from app.api.schemas.paths import BuildId, ProjectName, Username
from app.api.streams import LogEventsResponse, LogLinesResponse, LogResponse
from app.domain.logs.render import LogForm
from app.services.logs.asking import ask_build_log

LOGS = "/{username}/{project_name}/builds/{id}/logs"

router = api_router("builds")


@router.get(LOGS, response_class=LogResponse, responses=ANSWERS)
async def get_build_logs(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    build_id: BuildId,
    parameters: LogParametersDep,
    style: LogStyleDep,
) -> Response:
    """Read a build's log as text.

    As an experiment's. Of a build that waits for another one of the same environment it is that one's log.
    """
    wish = parameters.wish(style)
    request = await ask_build_log(session, caller, username, project_name, build_id, wish)
    return answer(service, request, style.form)


@router.get(f"{LOGS}/lines", response_class=LogLinesResponse, responses=ANSWERS)
async def get_build_log_lines(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    build_id: BuildId,
    parameters: LogParametersDep,
) -> Response:
    """Read a build's log as NDJSON.

    As an experiment's; job, role and index are null.
    """
    wish = parameters.wish(LINES)
    request = await ask_build_log(session, caller, username, project_name, build_id, wish)
    return answer(service, request, LogForm.NDJSON)


@router.get(f"{LOGS}/events", response_class=LogEventsResponse, responses=EVENT_ANSWERS)
async def get_build_log_events(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    build_id: BuildId,
    parameters: LogParametersDep,
) -> Response:
    """Read a build's log as server-sent events.

    As an experiment's; job, role and index are null.
    """
    wish = parameters.wish(EVENTS)
    request = await ask_build_log(session, caller, username, project_name, build_id, wish)
    return answer(service, request, LogForm.EVENTS)
