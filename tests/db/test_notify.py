"""Wake-ups after commits: at once, and many commits share one."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import notify
from app.db.engine import Sessions, transaction
from app.db.notify import Announcement, Channel, Listener, announce


async def test_commits_that_follow_one_another_share_their_wake_ups(
    sessions: Sessions, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "PACE", 0.3)
    heard: list[Announcement] = []
    listener = Listener(engine)
    listener.hear = heard.extend  # type: ignore[method-assign,assignment]
    await listener.start()
    await listener.connected.wait()
    clock = asyncio.get_running_loop()
    began = clock.time()
    for number in range(60):
        async with transaction(sessions) as session:
            announce(session, Channel.WORK)
            announce(session, Channel.LOG, number)
    async with asyncio.timeout(60):
        while len({key for channel, key in heard if channel is Channel.LOG}) < 60:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    sent = heard.count((Channel.WORK, ""))
    assert 1 <= sent <= (clock.time() - began) / notify.PACE + 1
    await listener.close()
