"""Experiments: what is sent to make or change one, and what is answered."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, StrictBool
from pydantic_core import PydanticCustomError

from app.api.schemas.base import BodyModel, JsonObject, ReadModel, Time, Uuid
from app.api.schemas.metrics import MetricValues
from app.domain.lifecycle import Status

CONFIG = {
    "version": 1,
    "kind": "experiment",
    "environment": {"resources": {"cpu": {"requests": 1}}},
    "declarations": {"lr": 0.01},
    "build": {"build_steps": ["pip install -r requirements.txt"]},
    "run": {"cmd": "python3 train.py --lr {{ lr }}"},
}


RESOURCES = {"cpu": {"requests": 1, "limits": None}, "memory": None, "gpu": None}


class Experiment(ReadModel):
    """An experiment. Every key is always there."""

    id: int = Field(description="Unique over the service.", examples=[1])
    uuid: Uuid = Field(description="Unique everywhere; 32 hex digits.")
    name: str | None = Field(description="Unique in the project, if any.", examples=["baseline"])
    unique_name: str = Field(description="Owner, project and id.", examples=["root.quick-start.1"])
    user: str = Field(description="Who made it.", examples=["root"])
    description: str | None = Field(description="Free text.", examples=["first try"])
    created_at: Time = Field(description="When it was made.")
    updated_at: Time = Field(description="When it last changed.")
    started_at: Time | None = Field(description="When it first was `starting`.")
    finished_at: Time | None = Field(description="When it ended.")
    last_status: Status = Field(description="Where it stands.", examples=["succeeded"])
    original: str | None = Field(
        description="The unique name of the experiment that it restarts, resumes or copies.",
        examples=[None],
    )
    project: str = Field(description="The project's unique name.", examples=["root.quick-start"])
    experiment_group: str | None = Field(description="Always null: there are no groups.", examples=[None])
    build_job: str | None = Field(
        description="The unique name of its build.", examples=["root.quick-start.builds.1"]
    )
    tags: list[str] | None = Field(description="Its tags, those of the spec included.", examples=[["mnist"]])
    config: JsonObject | None = Field(
        description="The spec as it was sent, unrendered; null when only tracked.", examples=[CONFIG]
    )
    declarations: JsonObject | None = Field(description="The rendered declarations.", examples=[{"lr": 0.1}])
    resources: JsonObject | None = Field(description="What its master asks for.", examples=[RESOURCES])
    last_metric: MetricValues | None = Field(
        description="The newest value of each metric, rounded to 7 decimals.",
        examples=[{"loss": 0.05, "accuracy": 0.85}],
    )
    num_jobs: int = Field(description="How many jobs it has.", examples=[1])
    is_clone: bool = Field(description="Whether it restarts, resumes or copies another.", examples=[False])
    has_tensorboard: bool | None = Field(
        description="Whether its TensorBoard runs; null until the first start.", examples=[None]
    )
    bookmarked: bool = Field(description="Whether the caller marked it.", examples=[False])


class ExperimentPage(ReadModel):
    """A page of experiments."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[Experiment] = Field(description="The rows of this page.")


def _object_or_text(value: Any) -> Any:
    if value is None or isinstance(value, dict | str):
        return value
    raise PydanticCustomError("type_error", "must be an object, or a text that holds one as YAML or JSON")


SPEC = "The spec: an object, or a text that holds it as YAML or JSON."
# `Spec` in the document, and any JSON: of an object or a text some generators (Java's) make code that doesn't
# compile.
SpecText = Annotated[
    JsonValue,
    BeforeValidator(_object_or_text),
    Field(
        description=SPEC,
        examples=[CONFIG],
    ),
]
Name = Annotated[str, Field(description="Letters, digits, `-` and `_`; at most 128.", examples=["baseline"])]
Description = Annotated[str, Field(description="Free text.", examples=["first try"])]
Tags = Annotated[list[str], Field(description="At most 100 of 128 characters.", examples=[["mnist"]])]
Declarations = Annotated[
    JsonObject,
    Field(description="Values for the spec's templates; they win key by key.", examples=[{"lr": 0.1}]),
]


RunEnv = Annotated[JsonValue, Field(description="What a tracker says of its surroundings.", examples=[None])]
DataRefs = Annotated[JsonValue, Field(description="What a tracker says of its data.", examples=[None])]


class ExperimentCreate(BodyModel):
    """A new experiment. Without `config` it is only tracked: its owner posts statuses and metrics."""

    name: Name | None = None
    description: Description | None = None
    tags: Tags | None = None
    config: SpecText = None
    declarations: Declarations | None = None
    ttl: int | None = Field(
        None,
        strict=True,
        ge=0,
        le=10 * 365 * 86_400,
        description="Seconds that its working folders are kept after its end.",
        examples=[3600],
    )
    run_env: RunEnv = None
    data_refs: DataRefs = None


class ExperimentUpdate(BodyModel):
    """What to change; keys that are left out stay as they are."""

    name: Name | None = None
    description: Description | None = None
    tags: Tags | None = None
    declarations: Declarations | None = None
    merge: StrictBool | None = Field(
        None, description="Merge tags and declarations instead of replacing them.", examples=[False]
    )
    config: SpecText = None
    run_env: RunEnv = None
    data_refs: DataRefs = None


class ExperimentClone(BodyModel):
    """What a restart, resume or copy changes of the original."""

    config: SpecText = None
    declarations: Declarations | None = None
    description: Description | None = None
    update_code: StrictBool | None = Field(
        None, description="Take the project's newest code instead of the original's.", examples=[False]
    )


def plain(value: Any) -> Any:
    """A free object as plain JSON, anything else as it is."""
    return value.root if isinstance(value, JsonObject) else value
