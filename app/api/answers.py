"""Answers made of plain JSON that needs no validation: it comes from our own database."""

from typing import Any

import orjson
from fastapi import Response


class JsonAnswer(Response):
    """Plain JSON, serialised directly; the route's `response_model` documents its form."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)
