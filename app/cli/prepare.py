"""`bunsen prepare`: what `bunsen up` has done before the API starts; its answer is one object of JSON."""

import os
from pathlib import Path
from typing import Any

import click
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.database import in_database
from app.cli.migrate import migrate
from app.cli.options import read_settings
from app.cli.sentences import SENTENCES, sentence
from app.db.engine import create_sessions
from app.db.notify import Notifier
from app.embedded.errors import CannotStart
from app.services.first_user import FirstUser, ensure_root
from app.settings import Settings


@click.command("prepare", hidden=True)
def command() -> None:
    """Migrate, make the first user, keep its token in the data folder."""
    try:
        answer = _prepare(read_settings({}))
    except SENTENCES as error:
        answer = {"error": sentence(error)}
    click.echo(orjson.dumps(answer))


def _prepare(settings: Settings) -> dict[str, Any]:
    token_file = settings.data / "token"
    known = _read_token(token_file)

    async def work(engine: AsyncEngine) -> FirstUser:
        await migrate(engine)
        sessions = create_sessions(engine, Notifier(engine))
        return await ensure_root(sessions, settings.root_password, known_token=known)

    first = in_database(settings, work)
    if first.token != known:
        _write_token(token_file, first.token)
    return {"username": first.username, "password": first.password, "token": first.token}


def _read_token(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise CannotStart(f"{path} can't be read: {error.strerror}.") from None


def _write_token(path: Path, token: str) -> None:
    """Whole or not at all, and never readable by others."""
    new = path.with_name(".token")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{token}\n")
        new.rename(path)
    except OSError as error:
        raise CannotStart(f"{path} can't be written: {error.strerror}.") from None
