"""Names, tags and free text in bodies, with the contract's limits."""

from typing import Annotated

from pydantic import Field

from app.domain.names import MAX_LONG_TEXT, MAX_NAME, MAX_TAG, MAX_TAGS, NAME_PATTERN

NameText = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NAME_PATTERN)]
LongText = Annotated[str, Field(max_length=MAX_LONG_TEXT)]
TagList = Annotated[list[Annotated[str, Field(max_length=MAX_TAG)]], Field(max_length=MAX_TAGS)]
