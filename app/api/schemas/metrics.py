"""Metrics: what is logged, and what is answered."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from app.api.schemas.base import BodyModel, ReadModel, Time, Uuid
from app.domain.metric_points import MAX_BATCH_ID, MAX_POINTS
from app.domain.metrics import MAX_STEP, MIN_STEP


class SpecialNumber(StrEnum):
    """A number that JSON doesn't have."""

    NAN = "NaN"
    INFINITY = "Infinity"
    MINUS_INFINITY = "-Infinity"


class MetricValue(RootModel[float | SpecialNumber]):
    """A number; NaN and the infinities are strings."""

    model_config = ConfigDict(json_schema_extra={"examples": [0.05]})


class MetricValues(RootModel[dict[str, MetricValue]]):
    """Numbers by name. NaN and the infinities are strings."""


Values = Annotated[
    MetricValues, Field(description="Numbers by name.", examples=[{"loss": 0.05, "accuracy": 0.85}])
]
Step = Annotated[
    int | None,
    Field(description="Where in the training; any whole number.", ge=MIN_STEP, le=MAX_STEP, examples=[12]),
]


class MetricCreate(BodyModel):
    """A point to log."""

    values: Values
    step: Step = None
    created_at: Time | None = Field(
        default=None,
        description="When it was measured, null for now. A space may stand for the `T`.",
        examples=["2018-10-01T12:00:00.000000+00:00"],
    )


class MetricBatchCreate(BodyModel):
    """Points to log together."""

    batch_id: str | None = Field(
        default=None,
        description="Makes the call repeatable: the same batch is stored once.",
        min_length=1,
        max_length=MAX_BATCH_ID,
        examples=["epoch-12"],
    )
    points: list[MetricCreate] = Field(description="The points.", max_length=MAX_POINTS)


class Metric(ReadModel):
    """A point that was logged."""

    id: int = Field(description="Unique over the service.", examples=[1])
    uuid: Uuid = Field(description="Unique everywhere; 32 hex digits.")
    created_at: Time = Field(description="When it was measured.")
    values: Values
    step: Step
    experiment: int = Field(description="The experiment's id.", examples=[1])


class MetricPage(ReadModel):
    """A page of points."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[Metric] = Field(description="The rows of this page.")


class MetricBatch(ReadModel):
    """A batch that is stored."""

    batch_id: str | None = Field(description="As it was sent.", examples=["epoch-12"])
    count: int = Field(description="How many points it has.", examples=[1])


class HistoryPoint(ReadModel):
    """One value of a metric."""

    step: Step
    created_at: Time = Field(description="When it was measured.")
    value: MetricValue = Field(description="The number; NaN and the infinities are strings.")


class MetricHistory(ReadModel):
    """One metric over time, thinned to its extremes and its ends."""

    name: str = Field(description="The metric's name.", examples=["loss"])
    count: int = Field(description="How many points it has in all.", examples=[1])
    points: list[HistoryPoint] = Field(description="At most `max_points` of them, oldest first.")
