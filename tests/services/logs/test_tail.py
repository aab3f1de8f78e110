"""The shared tail of a log that is followed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener
from app.domain.logs.owners import of_experiment
from app.services.logs.objects import OpenLogs
from app.services.logs.store import LogState, LogStore
from app.services.logs.tail import Tail
from app.settings import Settings
from app.storage.log_objects import LocalLogObjects

STATE = LogState("u", "running", 1, 0, None, False, False, 1, False)


@pytest.fixture
async def listener(engine: AsyncEngine) -> AsyncIterator[Listener]:
    listener = Listener(engine)
    await listener.start()
    yield listener
    await listener.close()


async def test_what_nobody_expected_ends_it_and_is_told(
    sessions: Sessions,
    listener: Listener,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def surprise(*_: Any, **__: Any) -> None:
        raise KeyError("a surprise")

    store = LogStore(sessions, OpenLogs(LocalLogObjects(settings.data)))
    monkeypatch.setattr(store, "find_chunks", surprise)
    tail = Tail(store, listener, of_experiment(1), STATE)
    async with asyncio.timeout(60):
        await tail.wait(600)
    assert tail.gone == "it can't be read"
    assert "a surprise" in caplog.text
    await tail.close()
