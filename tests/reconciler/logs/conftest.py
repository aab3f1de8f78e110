"""A world of logs, and a collector over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener
from app.storage.log_objects import LocalLogObjects
from tests.log_jobs import LogJobs
from tests.log_world import LogWorld


@pytest.fixture
async def world(sessions: Sessions, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[LogWorld]:
    listener = Listener(engine)
    await listener.start()
    yield LogWorld(sessions, listener, LogJobs(tmp_path / "jobs"), LocalLogObjects(tmp_path / "logs"))
    await listener.close()
