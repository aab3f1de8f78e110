"""What trackers call from inside a job."""

from pydantic import Field, JsonValue

from app.api.schemas.base import ReadModel
from app.api.schemas.code import CodeReference


class ExperimentRun(ReadModel):
    """What was posted of the run's surroundings, each null where nothing was."""

    run_env: JsonValue = Field(description="What a tracker said of its surroundings.", examples=[None])
    data_refs: JsonValue = Field(description="What a tracker said of its data.", examples=[None])
    code_reference: CodeReference | None = Field(description="The code that it runs, as its tracker says.")
