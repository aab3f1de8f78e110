"""What a request to log metrics holds: JSON with NaN and infinities in it, or a form."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request

from app.api.requests import StrictRequest, StrictRoute, read_body
from app.domain.metric_json import parse_metric_json
from app.errors import BadInput, Place

T = TypeVar("T")

LARGE = 256 * 1024  # bytes from which a body is read in a thread
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)


class MetricRequest(StrictRequest):
    """A request whose body is read, within its limit, but left for `read_metrics` to parse."""

    async def load(self) -> None:
        """Read the body, once. Raises TooLarge."""
        self._json = await read_body(self)


class MetricRoute(StrictRoute):
    """A route that takes numbers which plain JSON doesn't have; its body parameter is bytes."""

    request_class = MetricRequest


async def read_metrics(request: Request, body: bytes, read: Callable[[Any], T]) -> T:
    """What `read` makes of the body's JSON, or of the object that a form stands for. Raises BadInput."""
    media = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media in _FORMS:
        async with request.form() as form:
            return read(_object({key: value for key, value in form.items() if isinstance(value, str)}))

    def parse_and_read() -> T:
        return read(parse_metric_json(body))

    if len(body) >= LARGE:
        return await asyncio.to_thread(parse_and_read)
    return parse_and_read()


def _object(fields: dict[str, str]) -> dict[str, Any]:
    """A form's fields as an object: `values` (or `points`) holds JSON, `step` digits."""
    item: dict[str, Any] = dict(fields)
    for key in ("values", "points"):
        if key in fields:
            item[key] = _parse_field(key, fields[key])
    step = fields.get("step")
    if step is not None:
        item["step"] = int(step) if _INTEGER.fullmatch(step) else step or None
    return item


def _parse_field(name: str, text: str) -> Any:
    try:
        return parse_metric_json(text.encode(errors="surrogatepass"))
    except BadInput as error:  # its places begin with "body"
        places = [Place((name, *place.loc[1:]), place.msg, place.type) for place in error.errors or ()]
        raise BadInput(f"The field `{name}` {places[0].msg}.", errors=places) from None
