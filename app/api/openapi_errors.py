"""What errors look like in the OpenAPI document: an example for each status."""

import copy
from typing import Any

from app import errors
from app.api.problems import MEDIA_TYPE

Json = dict[str, Any]

_EXPERIMENT = "/api/v1/root/quick-start/experiments/1"
_FULL = "The database has no space left on its disk; nothing was stored. Try again when there is some."
_METHOD = "PUT is not allowed here; allowed: DELETE, GET, HEAD, PATCH."

EXAMPLES: dict[str, tuple[type[errors.AppError], str, str]] = {
    "401": (errors.NotAuthenticated, "Send a token: `Authorization: token …`.", _EXPERIMENT),
    "403": (errors.Forbidden, "A job's token opens its own experiment only.", _EXPERIMENT),
    "404": (errors.NotFound, "There is no such experiment.", _EXPERIMENT),
    "409": (errors.Conflict, "The experiment is done, its log is complete.", f"{_EXPERIMENT}/logs"),
    "413": (errors.TooLarge, "The body is larger than 10485760 bytes.", _EXPERIMENT),
    "416": (
        errors.RangeNotSatisfiable,
        "The file has 5 bytes.",
        f"{_EXPERIMENT}/outputs/files/model.pt",
    ),
    "429": (
        errors.TooManyRequests,
        "Too many tries to log in; come again in 30 s.",
        "/api/v1/users/token",
    ),
    "503": (errors.Unavailable, "The database can't be reached right now; try again.", _EXPERIMENT),
    "507": (
        errors.InsufficientStorage,
        "The database has no space left on its disk; nothing was stored. Try again when there is some.",
        _EXPERIMENT,
    ),
    "4XX": (
        errors.MethodNotAllowed,
        "PUT is not allowed here; allowed: DELETE, GET, HEAD, PATCH.",
        _EXPERIMENT,
    ),
    "5XX": (errors.AppError, "Something went wrong on our side; it was logged.", _EXPERIMENT),
}
"""The kind, the sentence and the path of an error of each status; 400 is the schema's own example."""


def put_errors(document: Json) -> None:
    """Give each answer that is an error the example of its status."""
    components = document["components"]
    problem = components["schemas"]["Problem"]["examples"][0]
    examples = components.setdefault("examples", {})
    for item in document["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if status not in EXAMPLES:
                    continue
                kind, detail, path = EXAMPLES[status]
                name = kind.code
                examples[name] = {"value": _problem(problem, kind, detail, path)}
                reference = {name: {"$ref": f"#/components/examples/{name}"}}
                response["content"][MEDIA_TYPE]["examples"] = reference


def _problem(example: Json, kind: type[errors.AppError], detail: str, path: str) -> Json:
    said = {"title": kind.title, "status": kind.status, "code": kind.code, "detail": detail}
    return {**copy.deepcopy(example), **said, "instance": path, "errors": None}
