"""Which database a command works on, and one transaction in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions, create_engine, create_sessions
from app.db.migrations import current_schema
from app.db.notify import Notifier
from app.embedded.errors import CannotStart
from app.embedded.postgres import running_url
from app.settings import Settings

T = TypeVar("T")


def with_database(settings: Settings) -> Settings:
    """The settings with the URL of the database: the one they name, else that of the service that runs on
    their data folder. Raises CannotStart when there is neither."""
    if settings.database_url:
        return settings
    try:
        url = running_url(settings.data)
    except PermissionError:
        raise CannotStart(f"{settings.data} belongs to another user; run this as that user.") from None
    if url is None:
        raise CannotStart(
            f"There is no database: no `bunsen up` runs on {settings.data} (another folder: --data), "
            "and DATABASE_URL is not set."
        )
    return settings.model_copy(update={"database_url": url})


def in_database(settings: Settings, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """What `work` gives for the database of these settings. Raises CannotStart when it can't be reached."""
    settings = with_database(settings)

    async def run() -> T:
        engine = create_engine(settings.database_url or "", pool=2, timeout=settings.database_timeout)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except (OSError, TimeoutError, DBAPIError) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error) or type(error).__name__
        raise CannotStart(
            f"The database can't be used: {reason.splitlines()[0].removesuffix('.')}."
        ) from None


def in_sessions(settings: Settings, work: Callable[[Sessions], Awaitable[T]]) -> T:
    """The same for work in sessions, on a schema that this release runs on; what they announced is sent."""

    async def run(engine: AsyncEngine) -> T:
        notifier = Notifier(engine)
        sessions = create_sessions(engine, notifier)
        async with sessions() as session:
            schema = await current_schema(session)
        if trouble := schema.trouble():
            raise CannotStart(trouble)
        await notifier.start()
        try:
            return await work(sessions)
        finally:
            await notifier.close()

    return in_database(settings, run)
