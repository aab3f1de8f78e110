"""What has to be there before the service can be used: the schema, a first user, its token in a file."""

import os
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.database import in_database
from app.cli.migrate import migrate
from app.cli.sentences import SENTENCES, sentence
from app.db.engine import create_sessions
from app.db.notify import Notifier
from app.embedded.errors import CannotStart
from app.services.first_user import FirstUser, ensure_root
from app.settings import Settings


def prepare(settings: Settings, answer_to: int) -> bool:
    """Prepare, and write what came of it into the open file `answer_to`, which is closed then: an object
    of JSON with `username`, `password` (null unless it was made up just now) and `token`, or with `error`,
    a sentence. Gives whether it went well."""
    try:
        answer = _prepare(settings)
    except SENTENCES as error:
        answer = {"error": sentence(error)}
    with os.fdopen(answer_to, "wb") as file:
        file.write(orjson.dumps(answer))
    return "error" not in answer


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
