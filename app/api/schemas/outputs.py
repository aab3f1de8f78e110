"""Outputs, as they are listed."""

from pydantic import Field

from app.api.schemas.base import ReadModel, Time


class OutputFile(ReadModel):
    """A file or folder of an experiment's outputs."""

    path: str = Field(
        description="From the outputs' folder on. A byte that is not UTF-8 is U+FFFD and its two hex digits.",
        examples=["checkpoints/model.pt"],
    )
    size: int = Field(description="Bytes; 0 for a folder.", examples=[104857600])
    modified_at: Time = Field(description="When it was last written.")
    is_dir: bool = Field(description="Whether it is a folder.", examples=[False])


class OutputFilePage(ReadModel):
    """A page of one folder, by name."""

    count: int = Field(description="How many the folder has.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[OutputFile] = Field(description="The rows of this page.")
