"""launch: scheduled experiments that fit are started, in order, each attempt once."""

import asyncio
import re
import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app.db.engine import transaction
from app.db.tables import Token
from app.db.work import experiments as db_experiments
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from app.reconciler.launch import launch
from app.reconciler.observe import observe
from app.reconciler.prepare import prepare
from tests.reconciler.conftest import until
from tests.reconciler.rows import (
    experiment,
    jobs,
    make_experiment,
    meanwhile,
    messages,
    set_experiment,
    words,
)

COUNT = 'echo start >> "$POLYAXON_RUN_OUTPUTS_PATH/starts"'
CPUS = {"environment": {"resources": {"cpu": {"requests": 3}}}}


async def launched(ctx: Context) -> None:
    await launch(ctx)
    await ctx.settle_actions()


def starts(ctx: Context, uuid: str) -> int:
    file = ctx.settings.data / "outputs" / uuid / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


async def started(ctx: Context, uuid: str) -> None:
    async def there() -> bool:
        return starts(ctx, uuid) > 0

    await until(there)


async def test_it_is_claimed_started_and_told_what_was_launched(ctx: Context) -> None:
    id = await make_experiment(ctx, f"{COUNT}; sleep 60")
    await prepare(ctx)
    await launched(ctx)
    row = await experiment(ctx, id)
    assert row.launched_at is not None
    await started(ctx, row.uuid)
    definition = (await jobs(ctx, id))[0].definition
    assert definition is not None
    assert not re.search(r"\b[0-9a-f]{40}\b", str(definition)), "the token is in it"


async def test_in_order_one_that_waits_holds_up_those_behind_it(ctx: Context) -> None:
    first, second, third = [await make_experiment(ctx, "sleep 60", **CPUS) for _ in range(3)]
    await prepare(ctx)
    await launched(ctx)
    assert [(await experiment(ctx, id)).launched_at is not None for id in (first, second, third)] == [
        True,
        False,
        False,
    ]
    assert "waits for" in str((await messages(ctx, second))[-1])
    await launched(ctx)
    assert len(await messages(ctx, second)) == 3, "said once, not at every look"


async def test_what_is_being_launched_keeps_its_share_before_an_older_one_that_comes_back(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, copy = [await make_experiment(ctx, "sleep 60", **CPUS) for _ in range(2)]
    await prepare(ctx)
    copied = threading.Event()
    monkeypatch.setattr("app.reconciler.launch.copy_outputs", lambda *_: copied.wait(30))
    await set_experiment(ctx, older, retry_at=datetime.now(UTC) + timedelta(hours=1))
    await set_experiment(ctx, copy, copy_of="0" * 32)
    await launch(ctx)
    await set_experiment(ctx, older, retry_at=None)
    await launch(ctx)
    copied.set()
    await ctx.settle_actions()
    assert [(await experiment(ctx, id)).launched_at is not None for id in (older, copy)] == [False, True]
    assert "waits for" in str((await messages(ctx, older))[-1])


async def test_one_that_never_fits_says_so_and_holds_up_nobody(ctx: Context) -> None:
    never = await make_experiment(ctx, environment={"resources": {"cpu": {"requests": 900}}})
    other = await make_experiment(ctx, "sleep 60")
    await prepare(ctx)
    await launched(ctx)
    assert "never" in str((await messages(ctx, never))[-1])
    assert (await experiment(ctx, other)).launched_at is not None


async def test_those_that_never_fit_hold_up_nobody_however_many(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(db_experiments.scheduled, limit=2)  # as many as are looked at in one pass
    monkeypatch.setattr("app.reconciler.launch.db_experiments.scheduled", few)
    for _ in range(2):
        await make_experiment(ctx, environment={"resources": {"cpu": {"requests": 900}}})
    other = await make_experiment(ctx, "sleep 60")
    await prepare(ctx)
    await launched(ctx)
    await launched(ctx)
    assert (await experiment(ctx, other)).launched_at is not None


@pytest.mark.parametrize("cpus", [3, 900])
async def test_what_was_stopped_meanwhile_is_told_nothing(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, cpus: int
) -> None:
    await make_experiment(ctx, "sleep 60", **CPUS)
    id = await make_experiment(ctx, environment={"resources": {"cpu": {"requests": cpus}}})
    await prepare(ctx)

    async def stop() -> None:
        await set_experiment(ctx, id, status="stopped")

    meanwhile(monkeypatch, LocalLauncher, "admit", stop)
    await launched(ctx)
    assert await words(ctx, id) == ["created", "scheduled"], "a message came after the end"


async def test_what_was_stopped_meanwhile_is_not_launched(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await make_experiment(ctx, COUNT)
    await prepare(ctx)

    async def stop() -> None:
        await set_experiment(ctx, id, status="stopped")

    meanwhile(monkeypatch, LocalLauncher, "admit", stop)
    await launched(ctx)
    row = await experiment(ctx, id)
    assert (row.status, row.launched_at) == ("stopped", None)
    assert await ctx.launcher.known() == []


async def test_those_that_are_claimed_with_one_that_was_stopped_start_without_it(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await make_experiment(ctx, f"{COUNT}; sleep 60") for _ in range(3)]
    await prepare(ctx)

    async def stop() -> None:
        await set_experiment(ctx, ids[1], status="stopped")

    meanwhile(monkeypatch, LocalLauncher, "admit", stop)
    await launched(ctx)
    rows = [await experiment(ctx, id) for id in ids]
    assert [row.launched_at is not None for row in rows] == [True, False, True]
    assert {ref.uuid for ref in await ctx.launcher.known()} == {
        job.uuid for id in (ids[0], ids[2]) for job in await jobs(ctx, id)
    }
    async with transaction(ctx.sessions) as session:
        owners = (await session.execute(select(Token.experiment_id, Token.attempt))).all()
    assert [row for row in owners if row.experiment_id in ids] == [(ids[0], 1), (ids[2], 1)]


async def test_a_crash_after_the_launch_starts_it_once(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await make_experiment(ctx, f"{COUNT}; sleep 60")
    await prepare(ctx)
    original = LocalLauncher.launch

    async def crash(self: LocalLauncher, run: object) -> object:
        await original(self, run)  # type: ignore[arg-type]
        raise asyncio.CancelledError

    monkeypatch.setattr(LocalLauncher, "launch", crash)
    await launched(ctx)
    monkeypatch.setattr(LocalLauncher, "launch", original)
    for _ in range(3):
        await launched(ctx)
        await observe(ctx)
    row = await experiment(ctx, id)
    await started(ctx, row.uuid)
    assert starts(ctx, row.uuid) == 1
    assert (await words(ctx, id))[1:3] == ["scheduled", "starting"]


async def test_a_crash_between_claim_and_launch_is_made_up_for(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await make_experiment(ctx, f"{COUNT}; sleep 60")
    await prepare(ctx)
    original = LocalLauncher.launch

    async def crash(self: LocalLauncher, run: object) -> object:
        raise asyncio.CancelledError

    monkeypatch.setattr(LocalLauncher, "launch", crash)
    await launched(ctx)
    row = await experiment(ctx, id)
    assert (row.status, row.launched_at is not None) == ("scheduled", True)
    monkeypatch.setattr(LocalLauncher, "launch", original)
    await launched(ctx)
    await started(ctx, row.uuid)
    assert starts(ctx, row.uuid) == 1


async def test_a_refused_launch_fails_with_the_reason(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await make_experiment(ctx)
    await prepare(ctx)

    async def refuse(self: LocalLauncher, run: object) -> object:
        raise LaunchRefused("there is no such volume")

    monkeypatch.setattr(LocalLauncher, "launch", refuse)
    await launched(ctx)
    assert (await experiment(ctx, id)).status == "failed"
    assert (await messages(ctx, id))[-1] == "there is no such volume"
    assert [job.status for job in await jobs(ctx, id)] == ["failed"]


async def test_a_delayed_launch_waits_with_the_reason(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await make_experiment(ctx)
    await prepare(ctx)

    tries = []

    async def delay(self: LocalLauncher, run: object) -> object:
        tries.append(run)
        raise LaunchDelayed("no space")

    monkeypatch.setattr(LocalLauncher, "launch", delay)
    monkeypatch.setattr("app.reconciler.launch.PAUSE", (60.0, 90.0))
    for pause in (60, 90):
        await launched(ctx)
        row = await experiment(ctx, id)
        assert (row.status, row.launched_at) == ("scheduled", None)
        assert row.retry_at is not None
        assert pause - 5 < (row.retry_at - datetime.now(UTC)).total_seconds() <= pause
        await launched(ctx)  # not before its time
        await set_experiment(ctx, id, retry_at=datetime.now(UTC))
    assert len(tries) == 2
    assert (await messages(ctx, id))[-1] == "no space"
    async with transaction(ctx.sessions) as session:
        assert await session.scalar(select(func.count()).where(Token.experiment_id == id)) == 0


async def test_what_one_machine_cant_give_is_said_once(ctx: Context) -> None:
    id = await make_experiment(ctx, environment={"node_selector": {"disk": "ssd"}})
    await prepare(ctx)
    await launched(ctx)
    assert sum("node_selector" in str(message) for message in await messages(ctx, id)) == 1
