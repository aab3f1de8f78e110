"""What all schemas share: read models list every key; bodies ignore keys that they don't know; times."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, RootModel, WithJsonSchema

from app.domain.times import iso


class ReadModel(BaseModel):
    """What is answered: every key is there, null where it can be. Validated nowhere: it is ours."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class BodyModel(BaseModel):
    """What is sent: unknown keys are ignored, as clients of the document's day send their whole schema."""

    model_config = ConfigDict(extra="ignore")


class JsonObject(RootModel[dict[str, JsonValue]]):
    """A free JSON object."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lr": 0.01, "layers": [128, 64]}]})


Time = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2018-08-22T19:25:05.764283+00:00"]}
    ),
]
"""A time: ISO 8601, six digits, `+00:00`."""

Uuid = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["d26f9c63ee9b492885c8c679e3ca06ff"])]
