"""A reconciler over the real local launcher, in a data folder of its own."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener
from app.launchers.local.launcher import LocalLauncher
from app.launching import local_options
from app.reconciler.context import Context
from app.reconciler.loop import Loop
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.storage.log_objects import LocalLogObjects
from app.worker import service_python
from tests.launchers.measured import RUNNER, RUNNER_ENVIRONMENT
from tests.launchers.warm import warm
from tests.reconciler.sight import Seen

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that other users can pass through, as the service's is."""
    with tempfile.TemporaryDirectory(prefix="bunsen-data-", ignore_cleanup_errors=True) as folder:
        warm(Path(folder))
        yield Path(folder)


@pytest.fixture
def settings(database_url: str, data: Path) -> Settings:
    return Settings(
        database_url=database_url,
        data=data,
        tick=0.2,
        grace=2.0,
        cpus=4.0,
        retry_backoff=0.05,
        uids=f"{52000 + os.getpid() % 70 * 100}-{52000 + os.getpid() % 70 * 100 + 99}",
    )


@pytest.fixture(scope="session")
def laid_python() -> Iterator[str]:
    """A Python with TensorBoard for jobs' users, laid once: it takes seconds."""
    with tempfile.TemporaryDirectory(prefix="bunsen-python-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield service_python(Settings(data=Path(folder)))


@pytest.fixture
async def ctx(
    settings: Settings, sessions: Sessions, engine: AsyncEngine, laid_python: str
) -> AsyncIterator[Context]:
    """What steps work with. Everything that still runs at the end is killed."""
    listener = Listener(engine)
    await listener.start()
    code = CodeArchives(settings.data / "code")
    options = local_options(settings, code)
    launcher = LocalLauncher(replace(options, runner=RUNNER, runner_environment=RUNNER_ENVIRONMENT))
    await launcher.start()
    objects = LocalLogObjects(settings.data / "logs")
    ctx = Context(settings, sessions, listener, launcher, objects, code, lambda: laid_python)
    yield ctx
    for action in list(ctx.actions.values()):
        action.cancel()
    for ref in await launcher.known():
        await launcher.forget(ref)
    await launcher.close()
    await listener.close()


@pytest.fixture
async def running(ctx: Context) -> AsyncIterator[Context]:
    """The whole loop, at work."""
    task = asyncio.create_task(Loop(ctx).run())
    yield ctx
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Wait until something holds; fails after a deadline."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.02)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    seen = Seen()
    monkeypatch.setattr(LocalLauncher, "observe", lambda _, refs: seen.observe(refs))
    return seen
