"""Who saw that something is done, and then asks for its log, gets the whole, not what was stored by then."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.domain.lifecycle import Status
from app.services.logs import late_lines
from tests.log_world import LoggedRun, LogWorld, until


async def ended(world: LogWorld, run: LoggedRun) -> None:
    """Its first line is stored; then it says two more and ends, while no collector is at work."""
    run.log.say("one")

    async def stored() -> bool:
        return await world.lines(run) == ["one"]

    async with world.collecting():
        await until(stored)
    run.log.say("two", "three")
    run.log.end()


@pytest.mark.parametrize(
    ("what", "query", "expected"),
    [
        ("experiment", "", "one\ntwo\nthree\n"),
        ("experiment", "?tail=1", "three\n"),
        ("job", "?offset=1", "two\nthree\n"),
        ("job that ends alone", "?tail=2", "two\nthree\n"),
        ("build", "", "one\ntwo\nthree\n"),
    ],
)
async def test_a_plain_call_waits_for_the_last_lines_of_what_is_done(
    idle_world: LogWorld, ada: httpx.AsyncClient, what: str, query: str, expected: str
) -> None:
    run = await (idle_world.build() if what == "build" else idle_world.experiment())
    await ended(idle_world, run)
    if what == "job that ends alone":
        async with transaction(idle_world.sessions) as session:
            await session.execute(text("UPDATE jobs SET status = 'succeeded'"))
    else:
        await idle_world.move(run, Status.SUCCEEDED)
    path = f"{run.path}/jobs/{run.job}/logs" if what.startswith("job") else f"{run.path}/logs"
    async with ada.stream("GET", path + query) as answer:  # it has begun, and nothing more is stored yet
        assert answer.status_code == 200
        async with idle_world.collecting():
            assert (await answer.aread()).decode() == expected


async def test_it_does_not_wait_for_ever(
    idle_world: LogWorld, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_lines, "PATIENCE", 0.1)
    run = await idle_world.experiment()
    await ended(idle_world, run)
    await idle_world.move(run, Status.SUCCEEDED)
    assert (await ada.get(f"{run.path}/logs")).text == "one\n"


async def test_nobody_waits_where_something_runs(idle_world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await idle_world.experiment("master", "worker")
    await ended(idle_world, run)
    async with asyncio.timeout(late_lines.PATIENCE / 2):
        for path in (f"{run.path}/logs", f"{run.path}/jobs/{run.job}/logs"):
            assert (await ada.get(path)).text == "one\n"
