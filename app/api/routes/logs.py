"""Logs of experiments and their jobs: read, followed, posted."""

from typing import Annotated, Any

from fastapi import Body, Response, status
from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, ServiceDep, SessionDep
from app.api.log_requests import (
    JobId,
    JobLogCallerDep,
    LogCallerDep,
    LogParametersDep,
    LogStyleDep,
    OneJob,
)
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.logs import LogLines, PostedLogLines
from app.api.schemas.paths import ExperimentPathDep
from app.api.service import Service
from app.api.streams import LogEventsResponse, LogLinesResponse, LogResponse
from app.domain.logs.render import LogForm, LogStyle
from app.services.experiments.find import get_brief
from app.services.logs.asking import ask_experiment_log
from app.services.logs.posting import post_lines, prepare_lines
from app.services.logs.streaming import LogRequest, LogStream

LOGS = "/{username}/{project_name}/experiments/{id}/logs"
JOB_LOGS = "/{username}/{project_name}/experiments/{id}/jobs/{job_id}/logs"
LINES = LogStyle(LogForm.NDJSON)
EVENTS = LogStyle(LogForm.EVENTS)
NOTHING_MORE: dict[int | str, dict[str, Any]] = {
    204: {"description": "The log is complete, and `Last-Event-ID` is its last line."}
}
ANSWERS = {**NOTHING_MORE, **errors(400, 403, 404, 503)}
# Each event's data: a generator that knows event streams gives its users these objects. Text would suit those
# that don't, which have `…/lines`, and be a wrong type to the former.
EVENT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {LogForm.EVENTS.value: {"schema": {"$ref": "#/components/schemas/LogEvent"}}}},
    **ANSWERS,
}

router = api_router("logs")


def answer(service: Service, request: LogRequest | None, form: LogForm) -> Response:
    """The stream, or 204 where there is nothing that the reader hasn't got."""
    if request is None:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    stream = LogStream(service.logs, request)
    return LogResponse(stream, service.logs.guards, request.caller.token_hash, form)


@router.get(LOGS, response_class=LogResponse, responses=ANSWERS)
async def get_experiment_logs(
    service: ServiceDep,
    session: SessionDep,
    caller: LogCallerDep,
    path: ExperimentPathDep,
    parameters: LogParametersDep,
    style: LogStyleDep,
    job: OneJob = None,
) -> Response:
    """Read an experiment's log as text.

    The text so far; with `follow=true` it goes on until the experiment is done and its last line is stored.
    By `Accept` or `format` it comes as NDJSON or server-sent events instead, as `…/logs/lines` and
    `…/logs/events` give them. What the server has to cut ends without its last chunk.
    """
    request = await ask_experiment_log(session, caller, path, parameters.wish(style, job))
    return answer(service, request, style.form)


@router.get(f"{LOGS}/lines", response_class=LogLinesResponse, responses=ANSWERS)
async def get_experiment_log_lines(
    service: ServiceDep,
    session: SessionDep,
    caller: LogCallerDep,
    path: ExperimentPathDep,
    parameters: LogParametersDep,
    job: OneJob = None,
) -> Response:
    """Read an experiment's log as NDJSON.

    One JSON object a line, each a `LogEvent`. For clients that read a stream line by line.
    """
    request = await ask_experiment_log(session, caller, path, parameters.wish(LINES, job))
    return answer(service, request, LogForm.NDJSON)


@router.get(f"{LOGS}/events", response_class=LogEventsResponse, responses=EVENT_ANSWERS)
async def get_experiment_log_events(
    service: ServiceDep,
    session: SessionDep,
    caller: LogCallerDep,
    path: ExperimentPathDep,
    parameters: LogParametersDep,
    job: OneJob = None,
) -> Response:
    """Read an experiment's log as server-sent events.

    Each event's `id` is the line's number and its `data` a `LogEvent` as JSON; while it is followed and waits
    there is a comment every 15 seconds. An EventSource that reconnects goes on where it was, and gets 204
    when nothing is left. To clients that don't know event streams `…/lines` gives the same.
    """
    request = await ask_experiment_log(session, caller, path, parameters.wish(EVENTS, job))
    return answer(service, request, LogForm.EVENTS)


@router.get(JOB_LOGS, response_class=LogResponse, responses=ANSWERS)
async def get_job_logs(
    service: ServiceDep,
    session: SessionDep,
    caller: JobLogCallerDep,
    path: ExperimentPathDep,
    job_id: JobId,
    parameters: LogParametersDep,
    style: LogStyleDep,
) -> Response:
    """Read a job's log as text.

    The lines of one job, with the numbers that they have in the experiment's log.
    """
    request = await ask_experiment_log(session, caller, path, parameters.wish(style, job_id))
    return answer(service, request, style.form)


@router.get(f"{JOB_LOGS}/lines", response_class=LogLinesResponse, responses=ANSWERS)
async def get_job_log_lines(
    service: ServiceDep,
    session: SessionDep,
    caller: JobLogCallerDep,
    path: ExperimentPathDep,
    job_id: JobId,
    parameters: LogParametersDep,
) -> Response:
    """Read a job's log as NDJSON.

    As the experiment's, with the lines of one job.
    """
    request = await ask_experiment_log(session, caller, path, parameters.wish(LINES, job_id))
    return answer(service, request, LogForm.NDJSON)


@router.get(f"{JOB_LOGS}/events", response_class=LogEventsResponse, responses=EVENT_ANSWERS)
async def get_job_log_events(
    service: ServiceDep,
    session: SessionDep,
    caller: JobLogCallerDep,
    path: ExperimentPathDep,
    job_id: JobId,
    parameters: LogParametersDep,
) -> Response:
    """Read a job's log as server-sent events.

    As the experiment's, with the lines of one job.
    """
    request = await ask_experiment_log(session, caller, path, parameters.wish(EVENTS, job_id))
    return answer(service, request, LogForm.EVENTS)


def _read_lines(body: object) -> list[str]:
    """The lines of a body: JSON, or any other type as the text that it is."""
    if isinstance(body, bytes):
        return [body.decode(errors="replace")] if body else []
    if isinstance(body, dict):
        body = body.get("lines", body.get("log_lines", body.get("text")))
    if isinstance(body, str):
        return [body] if body else []
    if isinstance(body, list) and all(isinstance(line, str) for line in body):
        return body
    raise PydanticCustomError("log_lines", "Must be text, a list of lines, or an object with `lines`.")


PostedBody = Annotated[
    list[str],
    PlainValidator(_read_lines, json_schema_input_type=LogLines),
    Body(description="Lines."),
]


@router.post(
    LOGS,
    response_model=PostedLogLines,
    status_code=status.HTTP_201_CREATED,
    responses=errors(400, 403, 404, 409, 413),
)
async def create_experiment_log_lines(
    session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep, body: PostedBody
) -> Response:
    """Append to the log of an experiment that is only tracked.

    Lines as JSON; with another media type the body is the text itself. The log of an experiment that is
    launched is what its jobs print: 409, as for one that is done.
    """
    frames = await prepare_lines(body)
    experiment = await get_brief(session, caller, path, change=True)
    posted = await post_lines(session, experiment, frames)
    return JsonAnswer(
        {"count": posted.count, "last_seq": posted.last_seq}, status_code=status.HTTP_201_CREATED
    )
