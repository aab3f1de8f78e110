"""A server on a real socket, a collector beside it, and people who read logs."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions, transaction
from app.db.notify import Listener
from app.services.tokens import create_token
from app.settings import Settings
from app.storage.log_objects import LocalLogObjects
from tests.live import Live, serving
from tests.log_jobs import LogJobs
from tests.log_world import LogWorld
from tests.people import add_person


@pytest.fixture
async def idle_world(
    sessions: Sessions, engine: AsyncEngine, settings: Settings, tmp_path: Path
) -> AsyncIterator[LogWorld]:
    """A world whose collector doesn't run, in the data folder that the server serves."""
    listener = Listener(engine)
    await listener.start()
    objects = LocalLogObjects(settings.data / "logs")
    yield LogWorld(sessions, listener, LogJobs(tmp_path / "jobs"), objects)
    await listener.close()


@pytest.fixture
async def world(idle_world: LogWorld) -> AsyncIterator[LogWorld]:
    """A world with a collector at work."""
    async with idle_world.collecting():
        yield idle_world


@pytest.fixture
async def live(settings: Settings, engine: AsyncEngine) -> AsyncIterator[Live]:
    async with serving(settings) as live:
        yield live


@pytest.fixture
async def token(idle_world: LogWorld) -> str:
    """A token of `ada`, who owns the project."""
    user, _ = await idle_world.project()
    async with transaction(idle_world.sessions) as session:
        return await create_token(session, user)


@pytest.fixture
async def ada(live: Live, token: str) -> AsyncIterator[httpx.AsyncClient]:
    async with live.client(token) as client:
        yield client


@pytest.fixture
async def bob(live: Live, sessions: Sessions) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody else."""
    async with live.client() as anyone:
        person = await add_person(sessions, anyone, "bob")
        async with live.client(person.token) as client:
            yield client
