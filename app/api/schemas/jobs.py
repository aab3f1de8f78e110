"""Jobs and builds as they are answered."""

from pydantic import Field

from app.api.schemas.base import JsonObject, ReadModel, Time, Uuid
from app.api.schemas.experiments import RESOURCES
from app.domain.lifecycle import Role, Status

COMMAND = ["/bin/sh", "-c", "python3 train.py --lr 0.1"]
STEPS = ["pip install -r requirements.txt"]
HASH = "2914034b55b91900cb6598da37a28b068dbe88069c5e9c00f81074b0fd3f8ff9"


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
        examples=[{"kind": "process", "command": COMMAND}],
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
    hash: str = Field(description="The name of what it makes.", examples=[HASH])
    config: JsonObject = Field(
        description="Image, steps and variables.",
        examples=[{"image": None, "build_steps": STEPS, "env_vars": [], "nocache": False}],
    )
    environment: str | None = Field(
        description="The environment or image that it made.", examples=[f"{HASH[:16]}-0dbd6909-1"]
    )
    last_status: Status = Field(description="Where it stands.", examples=["succeeded"])
    created_at: Time = Field(description="When it was made.")
    updated_at: Time = Field(description="When it last changed.")
    started_at: Time | None = Field(description="When it started.")
    finished_at: Time | None = Field(description="When it ended.")


class BuildDetail(Build):
    """A build with what was launched."""

    definition: JsonObject | None = Field(
        description="What was launched, without secrets.", examples=[{"kind": "process", "steps": STEPS}]
    )


class BuildPage(ReadModel):
    """A page of a project's builds, newest first."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[Build] = Field(description="The rows of this page.")
