"""How a body is read: strict JSON, bounded while it comes in, with a clear error for what it can't be."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from app.domain.json_mistakes import find_mistake
from app.domain.names import RESERVED_USERNAMES
from app.domain.plain_json import check_json
from app.errors import BadInput, Place, TooLarge

_LONG_NUMBER = re.compile(rb"[0-9]{20}")


class StrictRequest(Request):
    """A request whose JSON was read strictly: no NaN, no lone surrogate, no NUL, bounded depth and size."""

    async def load(self) -> None:
        """Read and check the body, once. Raises BadInput, TooLarge."""
        body = await read_body(self)
        if body and is_json(self.headers.get("content-type", "")):
            self._json = parse_json(body)

    async def json(self) -> Any:
        """The body that was checked. Raises BadInput where there is none."""
        if not hasattr(self, "_json"):
            raise BadInput("A body is missing.", errors=[Place(("body",), "Field required", "missing")])
        return self._json


def is_json(content_type: str) -> bool:
    """Whether a body of this type is read as JSON."""
    media = content_type.split(";", 1)[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


async def read_body(request: Request) -> bytes:
    """The whole body; refused with 413 before it is read whole when it is over the limit."""
    limit: int = request.app.state.service.settings.max_body
    declared = request.headers.get("content-length", "")
    too_large = TooLarge(f"The body is larger than {limit} bytes.")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    body = b"".join(parts)
    request._body = body
    return body


def parse_json(body: bytes) -> Any:
    """The body as plain JSON. Raises BadInput with the place."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = find_mistake(body, error)
        raise BadInput(f"The body {place.msg}.", errors=[place]) from None
    places = check_json(value, ("body",))
    if not places and _LONG_NUMBER.search(body):  # orjson makes floats of integers over 64 bits
        places = check_json(json.loads(body), ("body",))
    if places:
        raise BadInput(f"The body can't be kept: {places[0].msg}", errors=places)
    return value


class StrictRoute(APIRoute):
    """A route that reads its body before anything else, so that errors of parsing are ours.

    It answers 200 unless it says otherwise: FastAPI finds no status for the document where a class of
    responses has no parameter for it.
    """

    request_class: type[StrictRequest] = StrictRequest

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "status_code": options.get("status_code") or 200})

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A word of the API's own paths is nobody's name: `/users/token` is no project, but 405 to a GET."""
        match, child = super().matches(scope)
        reserved = child.get("path_params", {}).get("username") in RESERVED_USERNAMES
        return (Match.NONE, {}) if reserved else (match, child)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            checked = self.request_class(request.scope, request.receive)
            await checked.load()
            return await handle(checked)

        return strict
