"""Ways through an OpenAPI document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import Draft202012Validator

Json = dict[str, Any]
METHODS = ("get", "put", "post", "patch", "delete", "head", "options", "trace")
PREFIX = "#/components/schemas/"
QUOTED = frozenset({"example", "examples", "default", "enum", "const"})


@dataclass(frozen=True)
class Operation:
    """One call of the document."""

    path: str
    method: str
    body: Json

    @property
    def name(self) -> str:
        return str(self.body["operationId"])

    @property
    def answers(self) -> Json:
        """Its responses that are no errors, by status."""
        return {key: value for key, value in self.body["responses"].items() if key[0] in "123"}

    @property
    def errors(self) -> Json:
        """Its responses that are errors, by status."""
        return {key: value for key, value in self.body["responses"].items() if key[0] in "45"}


def operations(document: Json) -> list[Operation]:
    return [
        Operation(path, method, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def schemas(document: Json) -> dict[str, Json]:
    found: dict[str, Json] = document["components"]["schemas"]
    return found


def references(node: Any) -> Iterator[str]:
    """The names of the schemas that something names."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "$ref":
                yield str(child).removeprefix(PREFIX)
            elif key not in QUOTED:
                yield from references(child)


def reached(document: Json, start: Any) -> set[str]:
    """The names of all the schemas that something is made of."""
    found: set[str] = set()
    waiting = list(references(start))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(references(schemas(document)[name]))
    return found


def nodes(node: Any, at: str = "#") -> Iterator[tuple[str, Json]]:
    """Every object of a document with its place, examples left out."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from nodes(item, f"{at}/{index}")
    elif isinstance(node, dict):
        yield at, node
        for key, child in node.items():
            if key not in QUOTED:
                yield from nodes(child, f"{at}/{key}")


def validator(document: Json, schema: Json) -> Draft202012Validator:
    """Checks values against a schema of the document, formats included."""
    return Draft202012Validator(
        {**schema, "components": document["components"]}, validate_formats=True, ignore_unknown_formats=True
    )


def keys(document: Json) -> Iterator[tuple[str, Json]]:
    """Every key of every schema: `Schema.key` and what is said of it."""
    for name, schema in schemas(document).items():
        for key, said in schema.get("properties", {}).items():
            yield f"{name}.{key}", said


def parameters(document: Json) -> Iterator[tuple[str, Json]]:
    """Every parameter of every operation: `operation.parameter` and what is said of it."""
    for operation in operations(document):
        for parameter in operation.body.get("parameters", []):
            yield f"{operation.name}.{parameter['name']}", parameter


def examples(document: Json, said: Json) -> list[Any]:
    """The examples of a key or parameter: its own, or those of the schema that it names."""
    if "example" in said:
        return [said["example"]]
    if said.get("examples"):
        found = said["examples"]
        return [item["value"] for item in found.values()] if isinstance(found, dict) else list(found)
    if "schema" in said:
        return examples(document, said["schema"])
    if "$ref" in said:
        return examples(document, schemas(document)[said["$ref"].removeprefix(PREFIX)])
    if "items" in said:
        return [[item] for item in examples(document, said["items"])]
    return [item for choice in said.get("anyOf", []) for item in examples(document, choice)]
