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

from app.api.openapi_examples import put_examples
from app.api.openapi_text import DESCRIPTION, SUMMARY, TAGS
from app.api.responses import problem_response
from app.api.schemas.code import CodeUpload
from app.api.schemas.problem import Problem
from app.api.schemas.users import Credentials

Schema = dict[str, Any]
Operation = dict[str, Any]

METHODS = frozenset({"get", "put", "post", "patch", "delete"})
_SAID = frozenset({"title", "description", "examples"})
REFERENCE = "#/components/schemas/"

# What routes that read their body themselves name, and every error.
NAMED_BY_HAND: tuple[type[BaseModel], ...] = (Problem, Credentials, CodeUpload)

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
    _strip_titles(document)
    _lift(document)
    put_examples(document)
    _drop_unused(document)
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
    models = [(model, "serialization" if model is Problem else "validation") for model in NAMED_BY_HAND]
    _, more = models_json_schema(models, ref_template=REFERENCE + "{model}")  # type: ignore[arg-type]
    schemas.update(more["$defs"])
    if "JsonValue" in schemas:  # pydantic's own, which says nothing of itself
        schemas["JsonValue"].update(description="Any JSON value.", examples=[{"lr": 0.01}])


def _mend(operation: Operation) -> None:
    """What every operation of ours has: a summary, its security, its errors as problems."""
    summary, _, rest = operation.get("description", "").partition("\n")
    operation["summary"] = summary.strip().rstrip(".")
    operation["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", rest.strip() or summary.strip())
    secured = bool(operation.get("security"))
    operation["security"] = [{"token": []}, {"bearer": []}] if secured else []
    responses = operation["responses"]
    responses.pop("422", None)
    if secured:
        responses.setdefault("401", problem_response(401, "No token, or one that is not valid."))
    if _takes_input(operation):
        responses.setdefault("400", problem_response(400, "What was sent breaks a rule; see `errors`."))
    if "requestBody" in operation:
        responses.setdefault("413", problem_response(413, "The body is over its limit."))
    for status, response in responses.items():
        if response["description"] == "Successful Response":
            response["description"] = HTTPStatus(int(status)).phrase
    responses.setdefault("4XX", problem_response("4XX", "Any other mistake of the request."))
    responses.setdefault("503", problem_response(503, "The service can't answer for now; come again."))
    responses.setdefault("5XX", problem_response("5XX", "Something went wrong on our side."))
    operation["responses"] = dict(sorted(responses.items()))


def _takes_input(operation: Operation) -> bool:
    """Whether there is something that can break a rule: a body, or a parameter that isn't a name."""
    parameters = operation.get("parameters", [])
    return "requestBody" in operation or any(parameter["in"] != "path" for parameter in parameters)


def _strip_titles(node: Any) -> None:
    """Take off the titles that are only the key once more: some generators make names of them."""
    if isinstance(node, list):
        for item in node:
            _strip_titles(item)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key in {"example", "examples", "default", "enum", "const"}:
                continue
            if key == "properties":
                for name, schema in child.items():
                    _strip_title(name, schema)
            elif key == "schema" and "name" in node:
                _strip_title(node["name"], child)
            _strip_titles(child)


def _strip_title(name: str, schema: Schema) -> None:
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    if str(schema.get("title", "")).lower() == words:
        del schema["title"]


def _lift(node: Any) -> None:
    """What is said of one choice beside null is said of the whole: a reference with siblings in a union
    breaks two of the generators, and a union in a union is one union."""
    if isinstance(node, list):
        for item in node:
            _lift(item)
    elif isinstance(node, dict):
        for child in node.values():
            _lift(child)
        choices = node.get("anyOf")
        if isinstance(choices, list):
            for choice in choices:
                for key in sorted(_SAID & choice.keys()):
                    node.setdefault(key, choice.pop(key))
            node["anyOf"] = [part for choice in choices for part in choice.get("anyOf", [choice])]


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
