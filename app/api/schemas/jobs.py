"""Jobs and builds as they are answered."""

from pydantic import Field

from app.api.schemas.base import JsonObject, ReadModel, Time, Uuid
from app.domain.lifecycle import Role, Status

RESOURCES = {"cpu": {"requests": 1, "limits": 2}}


class Job(ReadModel):
    """One job of an experiment: a role and an index."""

    id: int = Field(description="Unique over the service.", examples=[1])
    uuid: Uuid = Field(description="Unique everywhere; 32 hex digits.")
    unique_name: str = Field(
        description="Owner, project, experiment, id and role.", examples=["root.quick-start.1.1.master"]
    )
    role: Role = Field(description="What it is in its experiment.", examples=["master"])
    experiment: int = Field(description="The experiment's id.", examples=[1])
    last_status: Status = Field(description="Where it stands.", examples=["succeeded"])
    created_at: Time = Field(description="When it was made.")
    updated_at: Time = Field(description="When it last changed.")
    started_at: Time | None = Field(description="When its newest attempt started.")
    finished_at: Time | None = Field(description="When that ended.")
    resources: JsonObject | None = Field(description="What it asks for.", examples=[RESOURCES])
    node_scheduled: str | None = Field(description="Where it ran.", examples=["node-1"])


class JobDetail(Job):
    """A job with what was launched."""

    definition: JsonObject | None = Field(
        description="The manifest or command as launched, without secrets.",
        examples=[{"command": "python model.py"}],
    )


class JobPage(ReadModel):
    """A page of an experiment's jobs, the master first."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[Job] = Field(description="The rows of this page.")


class Build(ReadModel):
    """A build of a project."""

    id: int = Field(description="Unique over the service.", examples=[1])
    uuid: Uuid = Field(description="Unique everywhere; 32 hex digits.")
    unique_name: str = Field(description="Owner, project and id.", examples=["root.quick-start.builds.1"])
    user: str = Field(description="Whose experiment asked for it first.", examples=["root"])
    project: str = Field(description="The project's unique name.", examples=["root.quick-start"])
    hash: str = Field(description="The name of what it makes.", examples=["0a1b2c"])
    config: JsonObject = Field(
        description="Image, steps and variables.", examples=[{"build_steps": ["pip install scikit-learn"]}]
    )
    environment: str | None = Field(description="The environment or image that it made.", examples=[None])
    last_status: Status = Field(description="Where it stands.", examples=["succeeded"])
    created_at: Time = Field(description="When it was made.")
    updated_at: Time = Field(description="When it last changed.")
    started_at: Time | None = Field(description="When it started.")
    finished_at: Time | None = Field(description="When it ended.")


class BuildDetail(Build):
    """A build with what was launched."""

    definition: JsonObject | None = Field(description="What was launched.", examples=[{"steps": []}])


class BuildPage(ReadModel):
    """A page of a project's builds, newest first."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[Build] = Field(description="The rows of this page.")
