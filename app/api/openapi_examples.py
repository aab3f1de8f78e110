"""Examples in the OpenAPI document, put in after FastAPI made it: it drops the nulls in them."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from app.api.schemas.base import BodyModel, JsonObject, ReadModel

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/"


def put_examples(document: Schema) -> None:
    """Each key of our models gets its example as it was written, each schema one made of its keys'."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    models = {model.__name__: model for model in _models() if model.__name__ in schemas}
    for name, model in models.items():
        for key, field in model.model_fields.items():
            schema = schemas[name].get("properties", {}).get(field.alias or key)
            if schema is not None and field.examples:
                schema["examples"] = list(field.examples)
    for name in models:
        example = _example({"$ref": REFERENCE + name}, schemas)
        if example is not None:
            schemas[name]["examples"] = [example]


def _models(base: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    """Every model that a route may name."""
    for model in base.__subclasses__():
        if issubclass(model, ReadModel | BodyModel | JsonObject):
            yield model
        yield from _models(model)


def _example(schema: Schema, schemas: dict[str, Schema]) -> Any:
    """An example of a schema, its first own or one made of its parts; None where it has none."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].removeprefix(REFERENCE)], schemas)
    if "properties" in schema:
        return {key: _example(part, schemas) for key, part in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            return _example(choice, schemas)
    return None
