"""The OpenAPI document: FastAPI's, put right where generators stumble over it."""

import copy
import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.openapi_answers import put_answers
from app.api.openapi_errors import put_errors
from app.api.openapi_examples import put_examples
from app.api.openapi_links import put_links
from app.api.openapi_schemas import lift, name_choices, put_formats, strip_null, strip_titles
from app.api.openapi_text import DESCRIPTION, SUMMARY, TAGS
from app.api.responses import problem_response
from app.api.schemas.code import CodeUpload
from app.api.schemas.experiments import CONFIG, SPEC
from app.api.schemas.logs import LogEvent
from app.api.schemas.problem import Problem
from app.api.schemas.users import Credentials

Schema = dict[str, Any]
Operation = dict[str, Any]

METHODS = frozenset({"get", "put", "post", "patch", "delete"})
REFERENCE = "#/components/schemas/"

# What routes that read their body themselves name, what streams consist of, and every error.
BODIES_BY_HAND: tuple[type[BaseModel], ...] = (Credentials, CodeUpload)
ANSWERS_BY_HAND: tuple[type[BaseModel], ...] = (Problem, LogEvent)

BINARY = frozenset({"application/gzip", "application/octet-stream"})

SECURITY_SCHEMES: Schema = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The header's value is `token ` and the token: `Authorization: token 8fe1c1b3…`.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The same token: `Authorization: Bearer 8fe1c1b3…`.",
    },
}


def describe(app: FastAPI, public_url: str | None = None) -> Schema:
    """The document of an application's routes. `public_url` is where it is reached, if that is known."""
    document = get_openapi(
        title="Bunsen",
        version=version("bunsen"),
        openapi_version="3.1.0",
        summary=SUMMARY,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": public_url or "/", "description": "This service."}],
        contact={"name": "The Bunsen founders"},
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = copy.deepcopy(SECURITY_SCHEMES)
    schemas = components.setdefault("schemas", {})
    _add_schemas(schemas)
    for operation in operations(document):
        _mend(operation)
    for path, item in document["paths"].items():
        for operation in item.values():
            _order_parameters(path, operation)
    strip_titles(document)
    lift(document)
    for operation in operations(document):
        _strip_nulls(operation)
    name_choices(document)
    put_formats(document)
    put_examples(document)
    put_answers(document)
    put_links(document)
    _drop_unused(document)
    put_errors(document)
    components["schemas"] = dict(sorted(schemas.items()))
    return document


def operations(document: Schema) -> Iterator[Operation]:
    """Every operation of a document."""
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                yield operation


def _add_schemas(schemas: dict[str, Schema]) -> None:
    """The schemas that no route's signature names."""
    models = [
        *((model, "validation") for model in BODIES_BY_HAND),
        *((model, "serialization") for model in ANSWERS_BY_HAND),
    ]
    _, more = models_json_schema(models, ref_template=REFERENCE + "{model}")  # type: ignore[arg-type]
    schemas.update(more["$defs"])
    # A union of text and object: it has a name, and takes any value, as some generators digest no such union.
    schemas["Spec"] = {"description": SPEC, "examples": [CONFIG]}
    for name in ("ExperimentCreate", "ExperimentUpdate", "ExperimentClone"):
        schemas[name]["properties"]["config"]["$ref"] = f"{REFERENCE}Spec"
    if "JsonValue" in schemas:  # pydantic's own, which says nothing of itself
        schemas["JsonValue"].update(description="Any JSON value.", examples=[{"lr": 0.01}])


def _mend(operation: Operation) -> None:
    """What every operation of ours has: a summary, its security, its errors as problems."""
    summary, _, rest = operation.get("description", "").partition("\n")
    operation["summary"] = summary.strip().rstrip(".")
    operation["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", rest.strip() or summary.strip())
    secured = bool(operation.get("security"))
    operation["security"] = [{"bearer": []}, {"token": []}] if secured else []
    responses = operation["responses"]
    responses.pop("422", None)
    if secured:
        responses.setdefault("401", problem_response(401, "No token, or one that is not valid."))
        responses.setdefault("403", problem_response(403, "The token is a job's, and this is not for it."))
    if _takes_input(operation):
        responses.setdefault("400", problem_response(400, "What was sent breaks a rule; see `errors`."))
    if "requestBody" in operation:
        responses.setdefault("413", problem_response(413, "The body is over its limit."))
    for status, response in responses.items():
        if response["description"] == "Successful Response":
            response["description"] = HTTPStatus(int(status)).phrase
        for media, content in response.get("content", {}).items():
            if "$ref" in content["schema"]:  # FastAPI calls every stream a string
                content["schema"].pop("type", None)
            if media in BINARY:  # else clients read it as text
                content["schema"] = {"type": "string", "format": "binary"}
    responses.setdefault("4XX", problem_response("4XX", "Any other mistake of the request."))
    responses.setdefault("503", problem_response(503, "The service can't answer for now; come again."))
    responses.setdefault("5XX", problem_response("5XX", "Something went wrong on our side."))
    operation["responses"] = dict(sorted(responses.items()))


def _order_parameters(path: str, operation: Operation) -> None:
    """Those of the path first, as they stand in it: many generators take them by position."""
    parameters = operation.get("parameters", [])
    parameters.sort(key=lambda one: path.index(f"{{{one['name']}}}") if one["in"] == "path" else len(path))


def _strip_nulls(operation: Operation) -> None:
    for parameter in operation.get("parameters", []):
        strip_null(parameter["schema"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        strip_null(content["schema"])
        if "$ref" in content["schema"]:
            content["schema"].pop("title", None)  # FastAPI's "Body"


def _takes_input(operation: Operation) -> bool:
    """Whether there is something that can break a rule: a body, or a parameter that isn't a name."""
    parameters = operation.get("parameters", [])
    return "requestBody" in operation or any(
        one["in"] != "path" or one["schema"]["type"] == "integer" for one in parameters
    )


def _drop_unused(document: Schema) -> None:
    """Schemas that nothing names any more: FastAPI's own of its 422."""
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    waiting = list(_references(document["paths"]))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(_references(schemas[name]))
    for name in set(schemas) - used:
        del schemas[name]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(REFERENCE)
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)
