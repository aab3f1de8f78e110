"""What every test can use: a real Postgres, a migrated database a worker, and the service over it."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from hypothesis import settings as hypothesis_settings
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.db.engine import Sessions, create_engine, create_sessions
from app.db.notify import Notifier
from app.embedded.postgres import EmbeddedPostgres
from app.main import create_app
from app.settings import Settings
from tests.databases import copy_template, drop_database, empty_database, make_template
from tests.people import Person, add_person

# How long one example takes says nothing where others' tests have the cores, too.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")

POSTGRES = "BUNSEN_TEST_POSTGRES"
_servers: list[EmbeddedPostgres] = []
_folders: list[tempfile.TemporaryDirectory[str]] = []


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for each core that this process may use: about half of a test's time is waiting for processes."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_configure(config: pytest.Config) -> None:
    """The controller starts one server and migrates one template; workers copy it."""
    if hasattr(config, "workerinput") or POSTGRES in os.environ:
        return
    folder = tempfile.TemporaryDirectory(prefix="bunsen-pg-")
    _folders.append(folder)
    Path(folder.name).chmod(0o711)
    server = EmbeddedPostgres(Path(folder.name), durable=False)
    server.start()
    server.wait_ready(60)
    _servers.append(server)
    os.environ[POSTGRES] = server.url
    make_template(server.url)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _servers:
        _servers.pop().stop()
        _folders.pop().cleanup()
        del os.environ[POSTGRES]


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """This worker's own database, migrated."""
    url = copy_template(os.environ[POSTGRES], f"w{os.getpid()}")
    yield url
    drop_database(os.environ[POSTGRES], url)


@pytest.fixture(scope="session")
def lasting_engine(database_url: str) -> AsyncEngine:
    """What one engine remembers from test to test: the statements that it has compiled."""
    return create_engine(database_url)


@pytest.fixture
async def engine(lasting_engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """An engine on the worker's database, which is emptied after the test."""
    yield lasting_engine
    await empty_database(lasting_engine)
    await lasting_engine.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> AsyncIterator[Sessions]:
    notifier = Notifier(engine)
    await notifier.start()
    yield create_sessions(engine, notifier)
    await notifier.close()


@pytest.fixture
async def session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One transaction, rolled back at the end unless the test commits it."""
    async with sessions() as session:
        yield session


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data=tmp_path / "data", tick=0.2)


@pytest.fixture
async def app(settings: Settings, engine: AsyncEngine) -> AsyncIterator[FastAPI]:
    """The service, in this process. Its answers come whole: streams are tried over a real socket."""
    settings.data.mkdir(parents=True, exist_ok=True)
    app = create_app(settings)
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://bunsen.test") as client:
        yield client


@pytest.fixture
async def root(sessions: Sessions, client: httpx.AsyncClient) -> Person:
    """The superuser `root`, with a token."""
    return await add_person(sessions, client, "root", is_superuser=True)


@pytest.fixture
async def ada(sessions: Sessions, client: httpx.AsyncClient) -> Person:
    """A plain user."""
    return await add_person(sessions, client, "ada")


@pytest.fixture
async def bob(sessions: Sessions, client: httpx.AsyncClient) -> Person:
    """Another plain user."""
    return await add_person(sessions, client, "bob")
