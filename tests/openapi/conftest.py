"""The document that the service serves, for tests of what it holds."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.api.openapi import describe
from app.main import create_app
from app.settings import Settings


@cache
def _described() -> str:
    settings = Settings(database_url="postgresql+asyncpg://nobody@127.0.0.1/none", data=Path("/nonexistent"))
    return json.dumps(describe(create_app(settings)))


def described() -> dict[str, Any]:
    """A copy of the document."""
    made: dict[str, Any] = json.loads(_described())
    return made


@pytest.fixture
def document() -> dict[str, Any]:
    """The document, a copy for each test."""
    return described()
