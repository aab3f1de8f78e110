"""The command line in this process, on the worker's own database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.group import bunsen
from app.cli.sentences import SENTENCES, sentence
from tests.embedded.conftest import folder, made, make_server, server

__all__ = ["folder", "made", "make_server", "server"]

Bunsen = Callable[..., Result]


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bunsen:
    """Runs `bunsen …`; what goes wrong in a known way is its last line, with exit code 1."""
    monkeypatch.setenv("BUNSEN_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*words: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(bunsen, words, input=input)
        if isinstance(result.exception, SENTENCES):
            result.stderr_bytes = sentence(result.exception).encode()
        elif result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def on_database(
    command_line: Bunsen, engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Bunsen:
    """The same with DATABASE_URL set to a migrated, empty database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return command_line
