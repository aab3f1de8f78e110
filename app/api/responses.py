"""What a route declares of its errors: `responses=errors(400, 404)`."""

from typing import Any

from app.api.problems import MEDIA_TYPE

PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}

_WHEN = {
    400: "What was sent breaks a rule; `errors` names each place.",
    401: "No token, or one that is not valid.",
    403: "The caller may see it, but not do this; or the token is a job's, and this is not for it.",
    404: "There is none, or none that the caller may see.",
    409: "Its state doesn't allow this.",
    413: "The body is over its limit.",
    416: "No byte of the file lies in the range.",
    429: "Too many tries; come again later.",
    503: "Something that this needs is away for now.",
    507: "No space is left where it is to be stored.",
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}, "example": 30}
}
_HEADERS: dict[int | str, dict[str, Any]] = {
    401: {
        "WWW-Authenticate": {
            "description": "The scheme to use.",
            "schema": {"type": "string"},
            "example": "token",
        }
    },
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer these errors, each a `Problem`.

    401 and 403 need no mention where the caller is known by a token, nor does the `4XX` default: the
    document gets them for all (app/api/openapi.py).
    """
    return {status: problem_response(status, _WHEN[status]) for status in statuses}


def problem_response(status: int | str, description: str) -> dict[str, Any]:
    """One error in the document's form."""
    response: dict[str, Any] = {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": dict(PROBLEM_REF)}},
    }
    if status in _HEADERS:
        response["headers"] = _HEADERS[status]
    return response
