"""Versions, and where clients report their own errors."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import ReadModel


class Versions(ReadModel):
    """The versions that work with this service."""

    latest_version: str = Field(description="The newest.", examples=["0.2.9"])
    min_version: str = Field(description="The oldest.", examples=["0.0.0"])


class ChartVersion(ReadModel):
    """The version of the chart."""

    version: str = Field(description="That of this release.", examples=["0.1.0"])


class LogHandler(ReadModel):
    """Where clients report their own errors: nowhere."""

    dsn: str | None = Field(
        description="Always null: clients report their errors to nobody.", examples=[None]
    )
    environment: str = Field(description="What the service calls itself.", examples=["production"])
    tags: Annotated[dict[str, str], Field(description="Always empty.", examples=[{}])]
