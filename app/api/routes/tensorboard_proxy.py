"""The way to an experiment's TensorBoard, for those who may see the experiment."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Path, Request, Response

from app.api.deps import ServiceDep, authenticate, base_url, read_token
from app.api.requests import read_body
from app.api.schemas.paths import ExperimentPathDep
from app.api.service import Service
from app.api.streams import StreamedResponse
from app.db.engine import transaction
from app.errors import Forbidden, NotAuthenticated, NotFound, Unavailable
from app.launchers.servers import NoSuchPath, ServerAway
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath
from app.services.tensorboard_program import KEY, PROOF, key_of, proof_of
from app.services.tensorboards import Behind, find_behind, page_path
from app.services.tickets import TicketKind, create_ticket, open_ticket, use_ticket

router = APIRouter(include_in_schema=False)

COOKIE = "bunsen_tensorboard"
PATH = "/tensorboard/{username}/{project_name}/experiments/{id}"
# Of this hop alone, or ours alone; the length and the encoding go with the bytes as they are.
NOT_PASSED = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "host", "authorization", "cookie", "set-cookie", "content-length"),
        *(KEY.lower(), PROOF.lower(), "forwarded", "x-forwarded-for", "x-forwarded-host", "server", "date"),
        "audit-id",  # an API server's that it came through
    }
)


class PageResponse(StreamedResponse):
    """What TensorBoard answers, as it comes; cut when it breaks off."""

    breaks = (httpx.HTTPError,)


@router.get(PATH)
async def go_to_page(request: Request, path: ExperimentPathDep) -> Response:
    """Its links are relative: the page has a slash at its end."""
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(status_code=308, headers={"Location": f"{base_url(request)}{page_path(path)}{query}"})


@router.api_route(f"{PATH}/{{rest:path}}", methods=["GET", "HEAD", "POST"])
async def pass_on(
    request: Request,
    service: ServiceDep,
    path: ExperimentPathDep,
    rest: Annotated[str, Path()],
) -> Response:
    """One request, to the TensorBoard and back."""
    ticket = request.query_params.get("ticket")
    if ticket is not None and not rest:
        return await _let_in(request, service, path, ticket)
    caller = await _caller(request, service, path)
    if request.method == "POST" and request.headers.get("origin") != _origin(base_url(request)):
        raise Forbidden("A POST must come from the service's own pages.")
    async with transaction(service.sessions) as session:
        behind = await find_behind(session, caller, path)
    return await _forward(request, service, caller, behind, rest)


async def _let_in(request: Request, service: Service, path: ExperimentPath, ticket: str) -> Response:
    """Trade a ticket of one use for a cookie that opens this page and nothing else."""
    place = page_path(path)
    async with transaction(service.sessions) as session:
        caller = await use_ticket(session, TicketKind.TENSORBOARD, ticket, place)
        cookie = await create_ticket(session, caller, TicketKind.COOKIE, place, path.id)
    answer = Response(status_code=303, headers={"Location": f"{base_url(request)}{place}"})
    answer.set_cookie(
        COOKIE,
        cookie.ticket,
        expires=cookie.expires_at,
        path=urlsplit(base_url(request)).path + place,
        secure=base_url(request).startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return answer


async def _caller(request: Request, service: Service, path: ExperimentPath) -> Caller:
    header = request.headers.get("authorization")
    if header is not None:
        caller = await authenticate(service, read_token(header))
        if caller.is_job:
            raise Forbidden("A job's token can't make this call.")
        return caller
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise NotAuthenticated("Open the `url` that the TensorBoard's start answers, or send a token.")
    async with transaction(service.sessions) as session:
        return await open_ticket(session, TicketKind.COOKIE, cookie, page_path(path))


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


async def _forward(request: Request, service: Service, caller: Caller, behind: Behind, rest: str) -> Response:
    body = await read_body(request) if request.method == "POST" else b""
    headers = {**_passed(request.headers), KEY: key_of(behind.secret)}
    path = _raw_path(request, rest)
    try:
        answer = await service.servers.send(behind.address, request.method, path, headers, body)
    except NoSuchPath:
        raise NotFound("TensorBoard has no such page.") from None
    except ServerAway:
        raise Unavailable("TensorBoard does not answer right now.", retry_after=2) from None
    if answer.headers.get(PROOF) != proof_of(behind.secret):
        await answer.aclose()
        raise Unavailable("TensorBoard does not answer right now.", retry_after=2)
    return PageResponse(
        _pieces(answer),
        service.logs.guards,
        caller.token_hash,
        headers={**_passed(answer.headers), **_length(answer.headers)},
        status_code=answer.status_code,
    )


def _raw_path(request: Request, rest: str) -> bytes:
    """The rest of the path as it was sent, with the query."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    tail = b"/" + raw.split(b"/", 6)[6] if raw.count(b"/") >= 6 else b"/"
    query = request.scope["query_string"]
    return tail + (b"?" + query if query else b"")


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED}


def _length(headers: Mapping[str, str]) -> dict[str, str]:
    length = headers.get("content-length")
    return {} if length is None else {"Content-Length": length}


async def _pieces(answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The bytes as they came, still encoded."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        with suppress(httpx.HTTPError):
            await answer.aclose()
