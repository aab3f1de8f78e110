"""Status histories of experiments, jobs and builds."""

from pydantic import Field

from app.api.schemas.base import BodyModel, JsonObject, ReadModel, Time, Uuid
from app.domain.lifecycle import Status


class StatusRow(ReadModel):
    """What all histories' rows have."""

    id: int = Field(description="Unique over the service.", examples=[1])
    uuid: Uuid = Field(description="Unique everywhere; 32 hex digits.")
    created_at: Time = Field(description="When it came to be so.")
    message: str | None = Field(description="Why, in words a person can act on.", examples=[None])
    status: Status = Field(description="The status.", examples=["succeeded"])


class ExperimentStatus(StatusRow):
    """A row of an experiment's history."""

    experiment: int = Field(description="The experiment's id.", examples=[1])


class JobStatus(StatusRow):
    """A row of a job's history."""

    details: JsonObject | None = Field(
        description="The launcher's facts.", examples=[{"reason": "exited", "exit_code": 0}]
    )
    job: int = Field(description="The job's id.", examples=[1])


class BuildStatus(StatusRow):
    """A row of a build's history."""

    details: JsonObject | None = Field(description="The launcher's facts.", examples=[{"reason": "exited"}])
    build: int = Field(description="The build's id.", examples=[1])
    job: int = Field(description="The same id, under the name that older clients read.", examples=[1])


class _Page(ReadModel):
    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])


class ExperimentStatusPage(_Page):
    """A page of an experiment's history, oldest first."""

    results: list[ExperimentStatus] = Field(description="The rows of this page.")


class JobStatusPage(_Page):
    """A page of a job's history, oldest first."""

    results: list[JobStatus] = Field(description="The rows of this page.")


class BuildStatusPage(_Page):
    """A page of a build's history, oldest first."""

    results: list[BuildStatus] = Field(description="The rows of this page.")


class ExperimentStatusCreate(BodyModel):
    """A status that a tracker posts."""

    status: Status = Field(description="The word.", examples=["running"])
    message: str | None = Field(None, description="Why.", examples=["epoch 1"])
