"""What trackers call from inside a job."""

from pydantic import Field, JsonValue

from app.api.schemas.base import JsonObject, ReadModel

CODE_REFERENCE = {
    "commit": "3eab2f1",
    "head": "3eab2f1",
    "branch": "main",
    "git_url": "https://git.example.org/a",
    "is_dirty": False,
}


class ExperimentRun(ReadModel):
    """What was posted of the run's surroundings, each null where nothing was."""

    run_env: JsonValue = Field(description="What a tracker said of its surroundings.", examples=[None])
    data_refs: JsonValue = Field(description="What a tracker said of its data.", examples=[None])
    code_reference: JsonObject | None = Field(description="The code reference.", examples=[CODE_REFERENCE])
