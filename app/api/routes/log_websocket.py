"""The WebSockets that clients of 2018 know: an experiment's or a job's log, and what its jobs use."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter
from starlette.websockets import WebSocket

from app.api.log_requests import find_log_caller, ticket_path
from app.api.service import Service
from app.api.sockets import refuse, stream
from app.db.engine import transaction
from app.errors import AppError, NotFound
from app.services.access import Caller, may_see
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.logs.asking import LogWish, ask_experiment_log
from app.services.logs.rendering import FrameRendering
from app.services.logs.store import LogGone
from app.services.logs.streaming import LogRequest, LogStream

router = APIRouter(prefix="/ws/v1")

EXPERIMENT = "/{username}/{project_name}/experiments/{id}"


@router.websocket(f"{EXPERIMENT}/logs")
async def follow_experiment(socket: WebSocket) -> None:
    """An experiment's log: replayed, followed, closed when it is complete."""
    await _follow(socket)


@router.websocket(f"{EXPERIMENT}/jobs/{{job_id}}/logs")
async def follow_job(socket: WebSocket) -> None:
    """A job's log, in the same way."""
    await _follow(socket)


@router.websocket(f"{EXPERIMENT}/resources")
async def watch_resources(socket: WebSocket) -> None:
    """What an experiment's live jobs use, once a second until it is done."""
    service: Service = socket.app.state.service
    try:
        path, _ = _read_path(socket)
        caller = await _find_caller(socket, service, ticket_for=None)
        async with transaction(service.sessions) as session:
            await get_brief(session, caller, path)
    except AppError as error:
        await refuse(socket, error)
        return
    await stream(socket, service.logs.guards, caller.token_hash, _usage(service, caller, path.id))


@router.websocket("/{rest:path}")
async def refuse_other_paths(socket: WebSocket) -> None:
    """A 404, where the framework would answer 403; registered last."""
    await refuse(socket, NotFound("There is nothing at this path."))


async def _follow(socket: WebSocket) -> None:
    service: Service = socket.app.state.service
    try:
        path, job_id = _read_path(socket)
        caller = await _find_caller(socket, service, ticket_for=ticket_path(path, job_id))
        wish = LogWish(FrameRendering(), follow=True, job=job_id)
        async with transaction(service.sessions) as session:
            request = await ask_experiment_log(session, caller, path, wish)
    except AppError as error:
        await refuse(socket, error)
        return
    assert request is not None  # that is only so where a reader says what it has
    await stream(socket, service.logs.guards, caller.token_hash, _frames(service, request))


def _read_path(socket: WebSocket) -> tuple[ExperimentPath, int | None]:
    """The experiment and the job in the path. Raises NotFound for what is no id."""
    names = socket.path_params
    try:
        job = int(names["job_id"]) if "job_id" in names else None
        return ExperimentPath(names["username"], names["project_name"], int(names["id"])), job
    except ValueError:
        raise NotFound("There is no such experiment.") from None


async def _find_caller(socket: WebSocket, service: Service, *, ticket_for: str | None) -> Caller:
    ticket = socket.query_params.get("ticket") if ticket_for is not None else None
    return await find_log_caller(service, socket.headers.get("authorization"), ticket, ticket_for or "")


async def _frames(service: Service, request: LogRequest) -> AsyncGenerator[str, None]:
    """The status first; then lines, and each new status, as they come."""
    log = LogStream(service.logs, request)
    yield _frame(log.status, request.rendering.status())
    pieces = log.pieces()
    try:
        async for piece in pieces:
            if piece:
                yield _frame(log.status, piece)
    finally:
        await pieces.aclose()


def _frame(status: str, rest: bytes) -> str:
    return f'{{"status":"{status}",{rest.decode()}'


async def _usage(service: Service, caller: Caller, experiment_id: int) -> AsyncGenerator[str, None]:
    async with service.usage.watch(experiment_id) as usage:
        seen = 0
        while True:
            seen = await usage.next(seen)
            if usage.gone or not (caller.is_job or may_see(caller, usage.owner_id, usage.is_public)):
                raise LogGone("deleted, or it may not be seen any more")
            yield usage.rows.decode()
            if usage.done:
                return
