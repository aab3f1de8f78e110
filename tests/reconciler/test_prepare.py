"""prepare: from made to `building` or `scheduled`."""

from typing import Any

import pytest

from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from app.services.scheduling import schedule_all
from tests.reconciler.rows import (
    builds,
    experiment,
    jobs,
    make_experiment,
    meanwhile,
    prepare,
    set_experiment,
    words,
)

BUILD: dict[str, Any] = {"build": {"build_steps": ["echo built"]}}


async def test_only_new_experiments_that_nobody_stopped_are_eligible(ctx: Context) -> None:
    stopped = await make_experiment(ctx)
    await set_experiment(ctx, stopped, status="stopped")
    done = await make_experiment(ctx)
    await set_experiment(ctx, done, status="succeeded")
    await prepare(ctx)
    assert [(await experiment(ctx, id)).status for id in (stopped, done)] == ["stopped", "succeeded"]


async def test_without_build_steps_it_is_scheduled_with_a_row_for_each_job(ctx: Context) -> None:
    id = await make_experiment(ctx, environment={"pytorch": {"n_workers": 2}})
    await prepare(ctx)
    row = await experiment(ctx, id)
    assert (row.status, row.attempt, row.launched_at) == ("scheduled", 1, None)
    assert [(job.role, job.index, job.status, job.attempt) for job in await jobs(ctx, id)] == [
        ("master", 0, "scheduled", 1),
        ("worker", 0, "scheduled", 1),
        ("worker", 1, "scheduled", 1),
    ]


async def test_with_build_steps_all_of_a_project_wait_for_one_build(ctx: Context) -> None:
    ids = [await make_experiment(ctx, **BUILD) for _ in range(3)]
    await prepare(ctx)
    rows = [await experiment(ctx, id) for id in ids]
    assert {row.status for row in rows} == {"building"}
    assert [build.id for build in await builds(ctx)] == [rows[0].build_id]
    assert len({row.build_id for row in rows}) == 1


async def test_nocache_builds_anew_for_each(ctx: Context) -> None:
    for _ in range(2):
        await make_experiment(ctx, build={"build_steps": ["echo built"], "nocache": True})
    await prepare(ctx)
    assert len({build.hash for build in await builds(ctx)}) == 2


async def test_what_was_stopped_meanwhile_stays_stopped(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await make_experiment(ctx, **BUILD)

    async def stop() -> None:
        await set_experiment(ctx, id, status="stopped")

    meanwhile(monkeypatch, LocalLauncher, "find_environment", stop)
    await prepare(ctx)
    assert (await experiment(ctx, id)).status == "stopped"
    assert await words(ctx, id) == ["created"]


async def test_those_that_are_scheduled_with_one_that_was_stopped_go_on_without_it(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await make_experiment(ctx) for _ in range(3)]

    async def stopped_before(*args: Any) -> set[int]:
        await set_experiment(ctx, ids[1], status="stopped")
        return await schedule_all(*args)

    monkeypatch.setattr("app.reconciler.prepare.schedule_all", stopped_before)
    await prepare(ctx)
    assert [(await experiment(ctx, id)).status for id in ids] == ["scheduled", "stopped", "scheduled"]
    assert [await words(ctx, id) for id in ids] == [
        ["created", "scheduled"],
        ["created"],
        ["created", "scheduled"],
    ]
    assert [len(await jobs(ctx, id)) for id in ids] == [1, 0, 1]


async def test_a_second_run_changes_nothing(ctx: Context) -> None:
    id = await make_experiment(ctx)
    await prepare(ctx)
    await prepare(ctx)
    assert await words(ctx, id) == ["created", "scheduled"]
    assert len(await jobs(ctx, id)) == 1
