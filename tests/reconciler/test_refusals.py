"""What a launcher refuses fails with its reason; what it delays waits. Either holds up nobody else."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db.engine import transaction
from app.db.tables import Tensorboard
from app.db.tensorboards import want
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from app.reconciler.tensorboards import MOST_FAILURES, tensorboards
from tests.reconciler.rows import (
    build,
    builds,
    experiment,
    make_experiment,
    messages,
    prepare,
    set_experiment,
)

WITH_BUILD: dict[str, Any] = {"build": {"build_steps": ["echo built"]}}
ANOTHER: dict[str, Any] = {"build": {"build_steps": ["echo another"]}}
REFUSED = LaunchRefused("no Python was found")
DELAYED = LaunchDelayed("waits for the data folder")

Raises = Callable[[str, Exception], None]


@pytest.fixture
def raises(monkeypatch: pytest.MonkeyPatch) -> Raises:
    """Let a call of the launcher raise, as it does on a machine that lacks something."""

    def give(name: str, error: Exception) -> None:
        async def refuse(self: LocalLauncher, _: object) -> object:
            raise error

        monkeypatch.setattr(LocalLauncher, name, refuse)

    return give


class TestBuilds:
    async def test_one_whose_environment_cant_be_looked_up_is_never_begun(
        self, ctx: Context, raises: Raises
    ) -> None:
        id = await make_experiment(ctx, **WITH_BUILD)
        raises("find_environment", REFUSED)
        await prepare(ctx)
        assert (await experiment(ctx, id)).status == "failed"
        assert (await messages(ctx, id))[-1] == str(REFUSED)
        assert await builds(ctx) == []

    async def test_one_that_waits_when_it_begins_to_be_refused_fails_and_so_do_others(
        self, ctx: Context, raises: Raises
    ) -> None:
        ids = [await make_experiment(ctx, **spec) for spec in (WITH_BUILD, ANOTHER)]
        await prepare(ctx)
        raises("find_environment", REFUSED)
        await build(ctx)
        assert [row.status for row in await builds(ctx)] == ["failed", "failed"]
        for id in ids:
            assert (await experiment(ctx, id)).status == "failed"
            assert str(REFUSED) in str((await messages(ctx, id))[-1])

    async def test_who_asks_where_nothing_can_be_looked_up_now_waits_and_is_told_once(
        self, ctx: Context, raises: Raises, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = await make_experiment(ctx, **WITH_BUILD)
        raises("find_environment", DELAYED)
        for _ in range(2):
            await prepare(ctx)
        assert (await experiment(ctx, id)).status == "created"
        assert await messages(ctx, id) == [None, str(DELAYED)]
        monkeypatch.undo()
        await prepare(ctx)
        raises("find_environment", DELAYED)
        for _ in range(2):
            await build(ctx)
        assert (await messages(ctx, id))[2:] == [None, str(DELAYED)]
        assert (await builds(ctx))[0].attempt == 0
        monkeypatch.undo()
        await build(ctx)
        assert (await builds(ctx))[0].attempt == 1

    async def test_a_refused_launch_fails_the_build_and_who_waits_for_it(
        self, ctx: Context, raises: Raises
    ) -> None:
        id = await make_experiment(ctx, **WITH_BUILD)
        await prepare(ctx)
        raises("launch", REFUSED)
        await build(ctx)
        await build(ctx)
        assert (await builds(ctx))[0].status == "failed"
        assert str(REFUSED) in str((await messages(ctx, id))[-1])

    async def test_a_delayed_launch_is_tried_again(
        self, ctx: Context, raises: Raises, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = await make_experiment(ctx, **WITH_BUILD)
        await prepare(ctx)
        raises("launch", DELAYED)
        for _ in range(3):
            await build(ctx)
        assert ((await builds(ctx))[0].status, (await builds(ctx))[0].attempt) == ("scheduled", 1)
        assert await ctx.launcher.known() == []
        monkeypatch.undo()
        await build(ctx)
        assert len(await ctx.launcher.known()) == 1
        assert (await experiment(ctx, id)).status == "building"

    async def test_one_that_nobody_waits_for_when_it_was_not_launched_ends_at_once(
        self, ctx: Context, raises: Raises
    ) -> None:
        id = await make_experiment(ctx, **WITH_BUILD)
        await prepare(ctx)
        raises("launch", DELAYED)
        await build(ctx)
        await set_experiment(ctx, id, status="stopped")
        await build(ctx)
        assert (await builds(ctx))[0].status == "stopped"


class TestTensorboards:
    async def board(self, ctx: Context) -> Tensorboard:
        async with ctx.sessions() as session:
            return (await session.execute(select(Tensorboard))).scalar_one()

    async def step(self, ctx: Context) -> None:
        await tensorboards(ctx)
        await ctx.settle_actions()

    async def wanted(self, ctx: Context) -> int:
        id = await make_experiment(ctx)
        async with transaction(ctx.sessions) as session:
            await want(session, id)
        await self.step(ctx)  # claims it
        return id

    async def test_a_refused_launch_fails_it_with_the_reason(self, ctx: Context, raises: Raises) -> None:
        id = await self.wanted(ctx)
        raises("launch", REFUSED)
        await self.step(ctx)
        board = await self.board(ctx)
        assert (board.status, board.wanted, board.message) == ("failed", False, str(REFUSED))
        assert (await experiment(ctx, id)).has_tensorboard is False

    async def test_a_delayed_launch_waits_with_the_reason(self, ctx: Context, raises: Raises) -> None:
        await self.wanted(ctx)
        raises("launch", DELAYED)
        began = time.monotonic()
        await self.step(ctx)
        assert time.monotonic() - began >= ctx.settings.tick, "it would be tried again and again"
        board = await self.board(ctx)
        assert (board.status, board.wanted, board.message) == ("starting", True, str(DELAYED))

    async def test_one_that_dies_again_and_again_is_given_up(self, ctx: Context) -> None:
        await self.wanted(ctx)
        dies = {"status": "running", "address": "127.0.0.1:1"}  # nothing of it is there
        for failures in range(1, MOST_FAILURES + 1):
            async with transaction(ctx.sessions) as session:
                await session.execute(update(Tensorboard).values(dies))
            await self.step(ctx)
            board = await self.board(ctx)
            assert (board.status, board.failures, board.address) == ("scheduled", failures, None)
            assert board.retry_at is not None
            await self.step(ctx)
            assert (await self.board(ctx)).status == "scheduled", "not before its time"
        async with transaction(ctx.sessions) as session:
            await session.execute(update(Tensorboard).values(dies))
        await self.step(ctx)
        board = await self.board(ctx)
        assert (board.status, board.wanted) == ("failed", False)
