"""Bookmarks."""

from pydantic import Field

from app.api.schemas.base import ReadModel
from app.api.schemas.experiments import Experiment
from app.api.schemas.projects import ProjectSummary


class Bookmark(ReadModel):
    """Where a mark stands."""

    bookmarked: bool = Field(description="Always true: the caller's mark is on it.", examples=[True])


class ExperimentBookmark(ReadModel):
    """A marked experiment."""

    content_object: Experiment = Field(description="The experiment.")


class ExperimentBookmarkPage(ReadModel):
    """A page of marked experiments."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[ExperimentBookmark] = Field(description="The rows of this page.")


class ProjectBookmark(ReadModel):
    """A marked project."""

    content_object: ProjectSummary = Field(description="The project.")


class ProjectBookmarkPage(ReadModel):
    """A page of marked projects."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[ProjectBookmark] = Field(description="The rows of this page.")
