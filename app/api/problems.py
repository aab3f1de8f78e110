"""Errors as `application/problem+json`, whatever raised them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from app.api.requests import is_json
from app.db.trouble import is_away, is_full, is_other_schema, reason
from app.errors import (
    AppError,
    BadInput,
    InsufficientStorage,
    Location,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    Place,
    Unavailable,
)
from app.storage.space import lack_of_space

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_PLACES = 100
_OBJECTS = frozenset({"model_attributes_type", "model_type", "dict_type"})
"""Pydantic's names for what is no JSON object; its words for them speak of Python."""
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def problem(error: AppError, *, path: str, request_id: str | None) -> Response:
    """The answer for an error. Its places are named up to a hundred."""
    places = None if error.errors is None else [_place(p) for p in error.errors[:MAX_PLACES]]
    body = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": path,
        "request_id": request_id,
        "errors": places,
    }
    content = orjson.dumps(_printable(body))
    return Response(content, status_code=error.status, media_type=MEDIA_TYPE, headers=error.headers)


def _place(place: Place) -> dict[str, Any]:
    return {"loc": list(_as_sent(place.loc)), "msg": place.msg, "type": place.type}


def _as_sent(loc: Location) -> Location:
    """A key of the body is named as its sender knows it: `name`, not `body.name`."""
    return loc[1:] if len(loc) > 1 and loc[0] == "body" and isinstance(loc[1], str) else loc


def _printable(value: Any) -> Any:
    """Lone surrogates out of what we quote: they can't be sent."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return value


def _answer(request: Request, error: AppError) -> Response:
    return problem(error, path=request.url.path, request_id=request.scope.get("bunsen.request_id"))


async def _app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    return _answer(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # One path parameter may be read twice, by the route and by who finds the caller.
    places = list(dict.fromkeys(_from_pydantic(e) for e in error.errors()))
    if places[0].loc == ("body",) and places[0].type in _OBJECTS and not is_json(_content_type(request)):
        place = Place(("header", "content-type"), "must be application/json", "content_type")
        return _answer(
            request, BadInput("Send the body as JSON, with `Content-Type: application/json`.", errors=[place])
        )
    return _answer(request, BadInput(_summary(places), errors=places))


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "")


def _from_pydantic(error: Any) -> Place:
    loc = tuple(part if isinstance(part, str | int) else str(part) for part in error["loc"])
    kind = str(error["type"])
    return Place(loc, "must be an object" if kind in _OBJECTS else str(error["msg"]), kind)


def _summary(places: Sequence[Place]) -> str:
    first = places[0]
    where = ".".join(str(part) for part in _as_sent(first.loc))
    more = f" ({len(places) - 1} more in errors)" if len(places) > 1 else ""
    return f"{where}: {first.msg}{more}"


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _answer(request, NotFound("There is nothing at this path."))
    if error.status_code == 405:
        methods = sorted(allowed_methods(request))
        refused = MethodNotAllowed(f"{request.method} is not allowed here; allowed: {', '.join(methods)}.")
        refused.headers = {"Allow": ", ".join(methods)}
        return _answer(request, refused)
    if error.status_code == 401:
        return _answer(request, NotAuthenticated("Send a token: `Authorization: token …`."))
    return _answer(request, BadInput(str(error.detail)))


def allowed_methods(request: Request) -> set[str]:
    """Every method that some route takes at this path; where there is a GET, HEAD is answered too."""
    routes = request.app.routes
    found = {
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    return found | {"HEAD"} if "GET" in found else found


async def _database_error(request: Request, error: Exception) -> Response:
    logger.warning("database: %s", reason(error))
    if is_full(error):
        text = "The database has no space left on its disk; nothing was stored. Try again when there is some."
        return _answer(request, Unavailable(text, retry_after=10, code=InsufficientStorage.code))
    lack = await asyncio.to_thread(lack_of_space, request.app.state.service.settings.data)
    also = f" On the service's disk there is {lack}." if lack else ""
    return _answer(
        request, Unavailable(f"The database can't be reached right now; try again.{also}", retry_after=2)
    )


async def _left(request: Request, error: Exception) -> Response:
    """Nobody reads this answer."""
    return _answer(request, BadInput("The body ended before it was whole.", code="client_left"))


async def _internal(request: Request, error: Exception) -> Response:
    logger.error("unexpected error at %s %s", request.method, request.url.path, exc_info=error)
    return _answer(request, AppError("Something went wrong on our side; it was logged."))


async def _driver_error(request: Request, error: Exception) -> Response:
    """A server that is away, or has another schema, is a 503; any other error of the driver is ours."""
    if is_away(error):
        return await _database_error(request, error)
    if is_other_schema(error):
        logger.error("the database's schema is another one: %s", error)
        detail = "The database's schema is not this release's: run `bunsen migrate`."
        return _answer(request, Unavailable(detail, retry_after=5))
    return await _internal(request, error)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _driver_error)
    app.add_exception_handler(asyncpg.PostgresError, _driver_error)  # raised bare while connecting
    app.add_exception_handler(asyncpg.InterfaceError, _driver_error)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(PoolTimeoutError, _database_error)
    app.add_exception_handler(TimeoutError, _database_error)  # a statement's: the server hangs
    app.add_exception_handler(ConnectionError, _database_error)
    app.add_exception_handler(Exception, _internal)
