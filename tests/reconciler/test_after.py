"""finish, timers, orphans: what happens to what is over."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from app.db.engine import transaction
from app.db.tables import Environment
from app.db.work.deletions import remove_experiment
from app.domain.runs import JobRef
from app.reconciler.context import Context
from app.reconciler.finish import finish
from app.reconciler.loop import Loop
from app.reconciler.orphans import orphans
from app.reconciler.status import ReconcilerStatus
from app.reconciler.timers import timers
from tests.reconciler.passes import ended, started
from tests.reconciler.rows import (
    experiment,
    make_experiment,
    messages,
    set_experiment,
)

LATER = timedelta(days=30)


class TestFinish:
    async def test_what_is_not_collected_is_kept(self, ctx: Context) -> None:
        id = await ended(ctx)
        await set_experiment(ctx, id, finished_at=datetime.now(UTC) - LATER)
        await finish(ctx)
        await ctx.settle_actions()
        assert len(await ctx.launcher.known()) == 1

    async def test_what_is_collected_is_kept_for_its_ttl_and_forgotten_then(self, ctx: Context) -> None:
        id = await ended(ctx)
        await set_experiment(ctx, id, collected_at=datetime.now(UTC), ttl=3600)
        await finish(ctx)
        await ctx.settle_actions()
        assert len(await ctx.launcher.known()) == 1
        await set_experiment(ctx, id, ttl=0)
        await finish(ctx)
        await ctx.settle_actions()
        assert await ctx.launcher.known() == []
        assert (await experiment(ctx, id)).cleaned_at is not None

    async def test_a_crash_in_between_is_made_up_for(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = await ended(ctx)
        await set_experiment(ctx, id, collected_at=datetime.now(UTC), ttl=0)

        async def crash(*_: object, **__: object) -> None:
            raise OSError("crash")

        with monkeypatch.context() as patch:
            patch.setattr("app.db.work.experiments.set_columns", crash)
            await finish(ctx)
            await ctx.settle_actions()
        assert (await experiment(ctx, id)).cleaned_at is None
        await finish(ctx)
        await ctx.settle_actions()
        assert (await experiment(ctx, id)).cleaned_at is not None


class TestTimers:
    async def test_a_tracked_experiment_fails_without_heartbeat_once_it_had_one(self, ctx: Context) -> None:
        silent, quiet = await make_experiment(ctx), await make_experiment(ctx)
        await set_experiment(ctx, silent, config=None, heartbeat_at=datetime.now(UTC) - LATER)
        await set_experiment(ctx, quiet, config=None)
        await timers(ctx)
        assert (await experiment(ctx, silent)).status == "failed"
        assert "no heartbeat" in str((await messages(ctx, silent))[-1])
        assert (await experiment(ctx, quiet)).status == "created"

    async def test_environments_that_nothing_uses_are_removed_after_a_time(self, ctx: Context) -> None:
        async with transaction(ctx.sessions) as session:
            old = datetime.now(UTC) - LATER
            await session.execute(insert(Environment).values(hash="a", reference="gone-a", used_at=old))
            await session.execute(insert(Environment).values(hash="b", reference="gone-b"))
        await timers(ctx)
        await ctx.settle_actions()
        async with ctx.sessions() as session:
            left = list((await session.execute(select(Environment.hash))).scalars())
        assert left == ["b"]


class TestOrphans:
    async def test_runs_without_a_row_are_removed_and_others_left_alone(self, ctx: Context) -> None:
        kept = await started(ctx)
        lost = await started(ctx)
        await set_experiment(ctx, lost, deleted_at=datetime.now(UTC))
        async with transaction(ctx.sessions) as session:
            await remove_experiment(session, lost)
        await orphans(ctx)
        await ctx.settle_actions()
        known = await ctx.launcher.known()
        assert len(known) == 1
        assert (await experiment(ctx, kept)).status == "running"

    async def test_a_look_that_failed_is_repeated_at_the_next_pass_and_later_ones_come_by_time(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known, answers = ctx.launcher.known, [OSError("away"), None]

        async def away_once() -> list[JobRef]:
            error = answers.pop(0)  # a third look would find nothing here
            if error is not None:
                raise error
            return await known()

        monkeypatch.setattr(ctx.launcher, "known", away_once)
        status = ReconcilerStatus()
        loop = Loop(ctx, status)
        await loop.step()
        assert status.failing == {"orphans": "OSError"}
        await loop.step()
        await loop.step()
        assert not status.failing
        assert not answers
