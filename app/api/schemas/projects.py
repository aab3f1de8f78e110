"""Projects: what is sent to make or change one, and what is answered."""

from pydantic import Field, StrictBool

from app.api.schemas.base import BodyModel, ReadModel, Time, Uuid
from app.api.schemas.texts import LongText, NameText, TagList

NAME_RULE = "Letters, digits, `-` and `_`; unique among its owner's."


class ProjectSummary(ReadModel):
    """A project in a list."""

    id: int = Field(description="Unique over the service.", examples=[1])
    uuid: Uuid = Field(description="Unique everywhere; 32 hex digits.")
    user: str = Field(description="Its owner.", examples=["root"])
    name: str = Field(description=NAME_RULE, examples=["quick-start"])
    unique_name: str = Field(description="Owner and name.", examples=["root.quick-start"])
    description: str | None = Field(description="Free text.", examples=["A first look"])
    tags: list[str] | None = Field(description="Its tags.", examples=[["mnist"]])
    created_at: Time = Field(description="When it was made.")
    updated_at: Time = Field(description="When it was last changed.")
    is_public: bool = Field(description="Whether every user may read it.", examples=[False])


class Project(ProjectSummary):
    """One project, with what there is in it."""

    num_experiments: int = Field(description="How many experiments it has.", examples=[1])
    num_independent_experiments: int = Field(
        description="How many of them are in no group: all, since there are no groups.", examples=[1]
    )
    num_jobs: int = Field(description="How many jobs its experiments have.", examples=[1])
    num_builds: int = Field(description="How many builds it has.", examples=[1])
    num_experiment_groups: int = Field(description="Always 0: there are no groups.", examples=[0])
    has_code: bool = Field(description="Whether code was uploaded.", examples=[True])
    has_tensorboard: bool = Field(
        description="Whether a TensorBoard of one of its experiments runs.", examples=[False]
    )
    has_notebook: bool = Field(description="Always false: there are no notebooks.", examples=[False])
    bookmarked: bool = Field(description="Whether the caller marked it.", examples=[False])


class ProjectPage(ReadModel):
    """A page of projects."""

    count: int = Field(description="How many there are in all.", examples=[1])
    next: str | None = Field(description="The URL of the next page.", examples=[None])
    previous: str | None = Field(description="The URL of the page before.", examples=[None])
    results: list[ProjectSummary] = Field(description="The rows of this page.")


class ProjectCreate(BodyModel):
    """A new project of the caller."""

    name: NameText = Field(description=NAME_RULE, examples=["quick-start"])
    description: LongText | None = Field(None, description="Free text.", examples=["A first look"])
    tags: TagList | None = Field(None, description="At most 100 of 128 characters.", examples=[["mnist"]])
    is_public: StrictBool | None = Field(
        None, description="Whether every user may read it; false unless said.", examples=[False]
    )


class ProjectUpdate(BodyModel):
    """What to change; keys that are left out stay as they are."""

    name: NameText | None = Field(None, description=NAME_RULE, examples=["quick-start"])
    description: LongText | None = Field(
        None, description="Free text; null removes it.", examples=["A closer look"]
    )
    tags: TagList | None = Field(
        None, description="At most 100 of 128 characters; null removes them.", examples=[["mnist"]]
    )
    is_public: StrictBool | None = Field(None, description="Whether every user may read it.", examples=[True])
    merge: StrictBool | None = Field(
        None, description="Add the tags to those there are instead of replacing them.", examples=[False]
    )
