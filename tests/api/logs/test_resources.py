"""What an experiment's jobs use: once a second until it is done, measured only while somebody watches."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.domain.lifecycle import Status
from app.domain.runs import JobRef
from app.launchers.base import JobUsage
from app.reconciler import usage as sampling
from app.reconciler.usage import UsageSampler
from app.services import usage
from app.settings import Settings
from tests.api.logs.test_websocket import frames, opened
from tests.live import Live, serving
from tests.log_world import LoggedRun, LogWorld, until


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "EVERY", 0.1)
    monkeypatch.setattr(sampling, "EVERY", 0.1)


@contextlib.asynccontextmanager
async def sampler(world: LogWorld) -> AsyncIterator[None]:
    task = asyncio.create_task(UsageSampler(world.sessions, world.listener, world.sources).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def uses(run: LoggedRun, job: int = 0) -> JobUsage:
    return JobUsage(
        ref=JobRef(run.uuids[job], 1),
        cpu_percentage=150.0,
        percpu_percentage=(100.0, 50.0),
        n_cpus=2,
        memory_used=1000,
        memory_limit=2000,
        gpu_resources=({"index": 0},),
    )


async def measured(socket: Any) -> list[dict[str, Any]]:
    """The first figures that aren't empty."""
    async with asyncio.timeout(60):
        while not (rows := orjson.loads(await socket.recv())):
            pass
    return list(rows)


async def test_an_array_with_a_row_for_each_live_job(idle_world: LogWorld, live: Live, token: str) -> None:
    run = await idle_world.experiment("master", "worker")
    idle_world.sources.used = [uses(run), uses(run, 1)]
    async with sampler(idle_world), opened(live, f"{run.path}/resources", token) as socket:
        rows = await measured(socket)
    assert rows[0] == {
        "job_uuid": run.uuids[0],
        "experiment_uuid": run.uuid,
        "job_name": f"ada.lab.{run.id}.{run.job}.master",
        "container_id": f"{run.uuids[0]}-1",
        "n_cpus": 2,
        "cpu_percentage": 150.0,
        "percpu_percentage": [100.0, 50.0],
        "memory_used": 1000,
        "memory_limit": 2000,
        "gpu_resources": [{"index": 0}],
    }
    assert [row["job_uuid"] for row in rows] == run.uuids


async def test_it_goes_on_until_the_experiment_is_done(idle_world: LogWorld, live: Live, token: str) -> None:
    run = await idle_world.experiment()
    idle_world.sources.used = [uses(run)]
    async with sampler(idle_world), opened(live, f"{run.path}/resources", token) as socket:
        for _ in range(3):
            await measured(socket)
        await idle_world.move(run, Status.SUCCEEDED)
        _, code = await frames(socket)
    assert code == 1000


async def test_of_a_done_one_comes_one_array_then_the_close(
    idle_world: LogWorld, live: Live, token: str
) -> None:
    run = await idle_world.experiment(tracked=True)
    await idle_world.move(run, Status.FAILED)
    async with opened(live, f"{run.path}/resources", token) as socket:
        assert await frames(socket) == ([[]], 1000)


async def test_without_a_reconciler_the_arrays_are_empty(
    idle_world: LogWorld, live: Live, token: str
) -> None:
    run = await idle_world.experiment()
    async with opened(live, f"{run.path}/resources", token) as socket:
        for _ in range(3):
            assert orjson.loads(await socket.recv()) == []


async def test_old_figures_are_not_shown(idle_world: LogWorld, live: Live, token: str) -> None:
    run = await idle_world.experiment()
    idle_world.sources.used = [uses(run)]
    async with opened(live, f"{run.path}/resources", token) as socket:
        async with sampler(idle_world):
            await measured(socket)
        async with transaction(idle_world.sessions) as session:
            await session.execute(text("UPDATE usage_watches SET measured_at = now() - interval '6 seconds'"))
        while orjson.loads(await socket.recv()):
            pass


async def test_nothing_is_measured_while_nobody_watches(
    idle_world: LogWorld, live: Live, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    measure = idle_world.sources.usage

    async def counted(refs: Sequence[JobRef]) -> list[JobUsage]:
        nonlocal asked
        asked += 1
        return await measure(refs)

    monkeypatch.setattr(idle_world.sources, "usage", counted)
    monkeypatch.setattr(usage, "WATCHED", 0.3)
    monkeypatch.setattr(sampling, "TICK", 0.05)
    run = await idle_world.experiment()
    idle_world.sources.used = [uses(run)]
    async with sampler(idle_world):
        assert asked == 0
        async with opened(live, f"{run.path}/resources", token) as socket:
            await measured(socket)

        async def quiet() -> bool:
            before = asked
            await asyncio.sleep(0.3)
            return asked == before

        await until(quiet)
        async with transaction(idle_world.sessions) as session:
            count = await session.execute(
                text("SELECT count(*) FROM usage_watches WHERE measured_at IS NULL")
            )
            assert count.scalar_one() == 0


async def test_watchers_of_every_replica_see_the_same_measurement(
    idle_world: LogWorld, live: Live, token: str, settings: Settings
) -> None:
    run = await idle_world.experiment()
    idle_world.sources.used = [uses(run)]
    path = f"{run.path}/resources"
    async with (
        sampler(idle_world),
        serving(settings) as other,
        opened(live, path, token) as first,
        opened(live, path, token) as second,
        opened(other, path, token) as third,
    ):
        for socket in (first, second, third):
            [row] = await measured(socket)
            assert row["memory_used"] == 1000


async def test_a_database_that_is_away_is_waited_for(idle_world: LogWorld, live: Live, token: str) -> None:
    run = await idle_world.experiment()
    idle_world.sources.used = [uses(run)]
    async with sampler(idle_world), opened(live, f"{run.path}/resources", token) as socket:
        await measured(socket)
        async with transaction(idle_world.sessions) as session:
            await session.execute(text("ALTER TABLE usage_watches RENAME TO elsewhere"))
        while orjson.loads(await socket.recv()):
            pass
        async with transaction(idle_world.sessions) as session:
            await session.execute(text("ALTER TABLE elsewhere RENAME TO usage_watches"))
        await measured(socket)
