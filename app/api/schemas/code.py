"""Uploaded code and code references."""

from pydantic import Field, StrictBool

from app.api.schemas.base import BodyModel, ReadModel, Time
from app.api.schemas.texts import LongText


class Code(ReadModel):
    """The code that a project's next experiments run in."""

    created_at: Time = Field(description="When it was uploaded.")
    size: int = Field(description="Bytes, packed, as it is stored.", examples=[2048])
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of what is stored, which a download gives.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class CodeReference(ReadModel):
    """The code that an experiment runs, as its tracker says."""

    commit: str | None = Field(description="The commit that runs.", examples=["3eab2f1"])
    head: str | None = Field(description="The commit at the branch's head.", examples=["3eab2f1"])
    branch: str | None = Field(description="The branch.", examples=["main"])
    git_url: str | None = Field(
        description="Where it was cloned from.", examples=["https://git.example.org/a"]
    )
    is_dirty: bool | None = Field(
        description="Whether there are changes that no commit has.", examples=[False]
    )


class CodeReferenceCreate(BodyModel):
    """What a tracker says of the code that it runs; every key is optional."""

    commit: LongText | None = Field(None, description="The commit that runs.", examples=["3eab2f1"])
    head: LongText | None = Field(None, description="The commit at the branch's head.", examples=["3eab2f1"])
    branch: LongText | None = Field(None, description="The branch.", examples=["main"])
    git_url: LongText | None = Field(
        None, description="Where it was cloned from.", examples=["https://git.example.org/a"]
    )
    is_dirty: StrictBool | None = Field(
        None, description="Whether there are changes that no commit has.", examples=[False]
    )


class CodeUpload(BodyModel):
    """The form that an upload is."""

    repo: str = Field(
        description="The code as a tar.gz.", json_schema_extra={"format": "binary"}, examples=["@code.tar.gz"]
    )
