"""How the calls that read a log are read: who asks, for which lines, in which form."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from app.api.deps import MAX_OFFSET, ServiceDep, authenticate, read_token, token_scheme
from app.api.flags import Flag
from app.api.schemas.logs import LogFormat
from app.api.schemas.paths import ExperimentPathDep
from app.api.service import Service
from app.db.engine import transaction
from app.domain.logs.render import LogForm, LogStyle
from app.domain.query.times import read_moment
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath
from app.services.logs.asking import LogWish
from app.services.logs.rendering import HttpRendering
from app.services.tickets import TicketKind, open_ticket


def _read_time(value: object) -> object:
    try:
        return read_moment(value).start if isinstance(value, str) else value
    except (ValueError, OverflowError):
        raise PydanticCustomError("time_parsing", "Must be a time, such as 2018-10-01T12:00:00Z.") from None


def _read_event_id(value: object) -> object:
    return None if value == "" else value


Follow = Annotated[
    Flag,
    Query(description="Go on until it is done and its last line is stored.", examples=[False]),
]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET, description="The number of the first line.", examples=[0])]
TailLines = Annotated[
    int | None,
    Query(ge=0, le=MAX_OFFSET, description="Of the lines so far only the last ones.", examples=[100]),
]
Since = Annotated[
    datetime | None,
    BeforeValidator(_read_time),
    Query(
        description="No line from before this time; UTC if it has no zone.",
        examples=["2018-10-01T12:00:00Z"],
    ),
]
Timestamps = Annotated[Flag, Query(description="Put its time before each line of text.", examples=[False])]
Seqs = Annotated[Flag, Query(description="Put its number before each line of text.", examples=[False])]
JobId = Annotated[int, Path(description="The job's id.", examples=[1])]
OneJob = Annotated[
    int | None, Query(alias="job", description="Only the lines of this job, by its id.", examples=[1])
]
Format = Annotated[
    LogFormat | None,
    # Not in the document, where a call has one media type: `…/lines` and `…/events` are the others' calls.
    Query(alias="format", include_in_schema=False),
]
TicketText = Annotated[
    str | None,
    Query(
        alias="ticket",
        max_length=200,
        description="A ticket for this stream, in place of a token.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"],
    ),
]
LastEventId = Annotated[
    Annotated[int, Field(ge=-1, le=MAX_OFFSET)] | None,
    BeforeValidator(_read_event_id),
    Header(
        alias="Last-Event-ID",
        description="The number of the last line that the reader has: goes on after it, whatever the "
        "parameters say.",
        examples=[41],
    ),
]


@dataclass(frozen=True, slots=True)
class LogParameters:
    """Which lines, as it is said for every form."""

    follow: bool
    offset: int
    tail: int | None
    since: datetime | None
    after: int | None

    def wish(self, style: LogStyle, job: int | None = None) -> LogWish:
        """The same with a form, and of one job."""
        return LogWish(HttpRendering(style), self.follow, self.offset, self.tail, self.since, job, self.after)


async def get_parameters(
    follow: Follow = False,
    offset: Offset = 0,
    tail: TailLines = None,
    since: Since = None,
    last_event_id: LastEventId = None,
) -> LogParameters:
    return LogParameters(follow, offset, tail, since, last_event_id)


async def get_style(
    request: Request, format_: Format = None, timestamps: Timestamps = False, seqs: Seqs = False
) -> LogStyle:
    form = format_.form if format_ is not None else accepted_form(request.headers.get("accept", ""))
    return LogStyle(form, seqs=seqs, timestamps=timestamps)


LogParametersDep = Annotated[LogParameters, Depends(get_parameters)]
LogStyleDep = Annotated[LogStyle, Depends(get_style)]


def accepted_form(accept: str) -> LogForm:
    """The form that an `Accept` header likes best; text where it says nothing of ours."""
    best, form = 0.0, LogForm.TEXT
    for item in accept.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        named = next((one for one in LogForm if one.value == media), None)
        quality = _quality(parameters)
        if named is not None and quality > best:
            best, form = quality, named
    return form


def _quality(parameters: list[str]) -> float:
    text = next((item[2:] for item in parameters if item.startswith("q=")), "1")
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


async def find_log_caller(service: Service, header: str | None, ticket: str | None, path: str) -> Caller:
    """Who asks for the stream at `path`: by a token, else by a ticket for it. Raises NotAuthenticated."""
    if header is None and ticket is not None:
        async with transaction(service.sessions) as session:
            return await open_ticket(session, TicketKind.LOG, ticket, path)
    return await authenticate(service, read_token(header))


async def get_log_caller(
    service: ServiceDep,
    path: ExperimentPathDep,
    header: Annotated[str | None, Depends(token_scheme)],
    ticket: TicketText = None,
) -> Caller:
    """The caller of an experiment's stream."""
    return await find_log_caller(service, header, ticket, ticket_path(path))


async def get_job_log_caller(
    service: ServiceDep,
    path: ExperimentPathDep,
    job_id: JobId,
    header: Annotated[str | None, Depends(token_scheme)],
    ticket: TicketText = None,
) -> Caller:
    """The caller of a job's stream."""
    return await find_log_caller(service, header, ticket, ticket_path(path, job_id))


LogCallerDep = Annotated[Caller, Depends(get_log_caller)]
JobLogCallerDep = Annotated[Caller, Depends(get_job_log_caller)]


def ticket_path(path: ExperimentPath, job_id: int | None = None) -> str:
    """What a ticket opens, in all its forms: the stream's path below `/api/v1` and `/ws/v1`."""
    experiment = f"/{path.username}/{path.project}/experiments/{path.id}"
    return f"{experiment}/logs" if job_id is None else f"{experiment}/jobs/{job_id}/logs"
