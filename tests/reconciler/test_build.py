"""build: one run for all rows of a hash, followed to its end."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from app.db.engine import transaction
from app.db.tables import Build
from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.launchers.base import LaunchDelayed
from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from tests.reconciler.conftest import until
from tests.reconciler.rows import (
    build,
    builds,
    experiment,
    jobs,
    make_experiment,
    messages,
    prepare,
    set_experiment,
    words,
)

GOOD: dict[str, Any] = {"build": {"build_steps": ["echo built"]}}
BAD: dict[str, Any] = {"build": {"build_steps": ["echo before", "echo boom; exit 7"]}}


async def built(ctx: Context, id: int) -> None:
    """Pass after pass, until the experiment waits for its build no more."""

    async def over() -> bool:
        await build(ctx)
        return (await experiment(ctx, id)).status != "building"

    await until(over)


async def test_a_build_that_succeeds_schedules_all_that_wait(ctx: Context) -> None:
    ids = [await make_experiment(ctx, **GOOD) for _ in range(2)]
    await prepare(ctx)
    await built(ctx, ids[0])
    assert [(await experiment(ctx, id)).status for id in ids] == ["scheduled", "scheduled"]
    assert len(await jobs(ctx, ids[1])) == 1
    made = (await builds(ctx))[0]
    assert (made.status, made.environment is not None) == ("succeeded", True)


async def test_where_the_environment_is_there_already_there_is_no_building(ctx: Context) -> None:
    first = await make_experiment(ctx, **GOOD)
    await prepare(ctx)
    await built(ctx, first)
    second = await make_experiment(ctx, **GOOD)
    await prepare(ctx)
    assert await words(ctx, second) == ["created", "scheduled"]
    assert (await experiment(ctx, second)).build_id == (await experiment(ctx, first)).build_id


async def test_a_failed_step_fails_all_that_wait_and_nobody_after_them(ctx: Context) -> None:
    first = await make_experiment(ctx, **BAD)
    await prepare(ctx)
    await built(ctx, first)
    assert (await experiment(ctx, first)).status == "failed"
    message = str((await messages(ctx, first))[-1])
    assert "step 2 of 2" in message
    assert message.splitlines()[-1] == "boom", "its last lines are in the message"
    second = await make_experiment(ctx, **BAD)
    await prepare(ctx)
    assert (await experiment(ctx, second)).status == "building"
    assert (await experiment(ctx, second)).build_id != (await experiment(ctx, first)).build_id


async def test_those_that_wait_are_told_once_why_a_build_does_not_start(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await make_experiment(ctx, **GOOD)
    await prepare(ctx)

    async def delayed(*_: object) -> None:
        raise LaunchDelayed("waits for a user to run as")

    with monkeypatch.context() as patch:
        patch.setattr(LocalLauncher, "launch", delayed)
        for _ in range(3):
            await build(ctx)
    assert (await messages(ctx, id))[-2:] == [None, "waits for a user to run as"]
    await built(ctx, id)
    assert (await experiment(ctx, id)).status == "scheduled"


async def test_a_build_that_nobody_waits_for_any_more_is_stopped(ctx: Context) -> None:
    id = await make_experiment(ctx, build={"build_steps": ["sleep 600"]})
    await prepare(ctx)
    await build(ctx)
    await build(ctx)
    await set_experiment(ctx, id, status="stopped")

    async def stopped() -> bool:
        await build(ctx)
        return (await builds(ctx))[0].status == "stopped"

    await until(stopped)


async def test_it_goes_on_while_another_waits(ctx: Context) -> None:
    first, second = [await make_experiment(ctx, build={"build_steps": ["sleep 1"]}) for _ in range(2)]
    await prepare(ctx)
    await build(ctx)
    await set_experiment(ctx, first, status="stopped")
    await built(ctx, second)
    assert (await experiment(ctx, second)).status == "scheduled"
    assert (await experiment(ctx, first)).status == "stopped"


async def test_a_killed_runner_is_tried_again_once(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await make_experiment(ctx, **GOOD)
    await prepare(ctx)
    await build(ctx)

    async def killed(_: LocalLauncher, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        return {ref: JobObservation(ref, Status.FAILED, "killed", infrastructure=True) for ref in refs}

    monkeypatch.setattr(LocalLauncher, "observe", killed)
    await build(ctx)
    assert [(row.status, row.attempt) for row in await builds(ctx)] == [("scheduled", 2)]
    await build(ctx)
    assert (await experiment(ctx, id)).status == "failed"


async def test_an_end_of_what_was_ended_meanwhile_is_dropped(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_experiment(ctx, **GOOD)
    await prepare(ctx)
    await build(ctx)

    async def late(_: LocalLauncher, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        async with transaction(ctx.sessions) as session:
            await session.execute(update(Build).values(status="failed"))
        return {ref: JobObservation(ref, Status.STOPPED) for ref in refs}

    monkeypatch.setattr(LocalLauncher, "observe", late)
    await build(ctx)
    assert [row.status for row in await builds(ctx)] == ["failed"]


async def test_who_waits_when_a_build_is_stopped_gets_another(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await make_experiment(ctx, **GOOD)
    await prepare(ctx)
    await build(ctx)

    async def stopped(_: LocalLauncher, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        return {ref: JobObservation(ref, Status.STOPPED) for ref in refs}

    with monkeypatch.context() as patch:
        patch.setattr(LocalLauncher, "observe", stopped)
        await build(ctx)
    assert [row.status for row in await builds(ctx)] == ["stopped", "created"]
    await built(ctx, id)
    assert (await experiment(ctx, id)).status == "scheduled"
