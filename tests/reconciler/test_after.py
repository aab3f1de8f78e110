"""finish, delete, timers, orphans: what happens to what is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from app.db.engine import transaction
from app.db.tables import CodeArchive, Environment, Project, User
from app.db.work.deletions import remove_experiment
from app.domain.runs import JobRef
from app.launchers.base import LauncherAway
from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from app.reconciler.delete import delete
from app.reconciler.finish import finish
from app.reconciler.launch import launch
from app.reconciler.loop import Loop
from app.reconciler.observe import observe
from app.reconciler.orphans import orphans
from app.reconciler.status import ReconcilerStatus
from app.reconciler.stop import stop
from app.reconciler.timers import timers
from app.storage.outputs import Outputs
from tests.reconciler.conftest import until
from tests.reconciler.rows import (
    build,
    builds,
    experiment,
    gone,
    make_experiment,
    messages,
    prepare,
    set_experiment,
)

LATER = timedelta(days=30)


async def started(ctx: Context, cmd: str = "sleep 600", **spec: Any) -> int:
    id = await make_experiment(ctx, cmd, **spec)
    await prepare(ctx)
    await launch(ctx)
    await ctx.settle_actions()

    async def runs() -> bool:
        await observe(ctx)
        return (await experiment(ctx, id)).status not in {"scheduled", "starting"}

    await until(runs)
    return id


async def ended(ctx: Context, cmd: str = "true") -> int:
    id = await started(ctx, cmd)

    async def over() -> bool:
        await observe(ctx)
        return (await experiment(ctx, id)).finished_at is not None

    await until(over)
    return id


async def passes(ctx: Context, id: int) -> None:
    """Pass after pass of what ends and deletes, until nothing of it is there."""

    async def nothing() -> bool:
        await stop(ctx)
        await observe(ctx)
        await delete(ctx)
        await ctx.settle_actions()
        return await gone(ctx, id)

    await until(nothing)


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


class TestDelete:
    async def test_what_runs_is_ended_first_and_then_all_of_it_goes(self, ctx: Context) -> None:
        id = await started(ctx, 'echo x > "$POLYAXON_RUN_OUTPUTS_PATH/x"; sleep 600')
        uuid = (await experiment(ctx, id)).outputs_uuid
        now = datetime.now(UTC)
        await set_experiment(ctx, id, deleted_at=now, stop_requested_at=now)
        await delete(ctx)
        await ctx.settle_actions()
        assert not await gone(ctx, id), "it still runs"
        await passes(ctx, id)
        assert await ctx.launcher.known() == []
        assert not (ctx.settings.data / "outputs" / uuid).exists()

    async def test_outputs_that_a_resume_uses_stay_until_that_goes(self, ctx: Context) -> None:
        first, second = await ended(ctx), await ended(ctx)
        uuid = (await experiment(ctx, first)).outputs_uuid
        await set_experiment(ctx, second, outputs_uuid=uuid)
        await set_experiment(ctx, first, deleted_at=datetime.now(UTC))
        await passes(ctx, first)
        assert (ctx.settings.data / "outputs" / uuid).exists()
        await set_experiment(ctx, second, deleted_at=datetime.now(UTC))
        await passes(ctx, second)
        assert not (ctx.settings.data / "outputs" / uuid).exists()

    async def test_outputs_go_when_all_that_use_them_are_deleted_at_once(self, ctx: Context) -> None:
        first, second = await ended(ctx), await ended(ctx)
        uuid = (await experiment(ctx, first)).outputs_uuid
        await set_experiment(ctx, second, outputs_uuid=uuid)
        for id in (first, second):
            await set_experiment(ctx, id, deleted_at=datetime.now(UTC))
        await passes(ctx, first)
        await passes(ctx, second)
        assert not (ctx.settings.data / "outputs" / uuid).exists()

    async def test_one_that_can_t_be_deleted_holds_up_nothing_else(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stuck, other = await ended(ctx), await ended(ctx)
        uuid = (await experiment(ctx, stuck)).outputs_uuid
        release = ctx.launcher.release

        async def away(principal: str) -> None:
            if principal == uuid:
                raise LauncherAway("away")
            await release(principal)

        monkeypatch.setattr(ctx.launcher, "release", away)
        async with transaction(ctx.sessions) as session:
            owner = await session.scalar(select(User.id))
            await session.execute(
                insert(Project).values(owner_id=owner, name="empty", deleted_at=datetime.now(UTC))
            )
        for id in (stuck, other):
            await set_experiment(ctx, id, deleted_at=datetime.now(UTC))
        await passes(ctx, other)
        await delete(ctx)
        assert not await gone(ctx, stuck)
        async with transaction(ctx.sessions) as session:
            assert await session.scalar(select(func.count()).where(Project.name == "empty")) == 0

    async def test_it_stays_while_a_copy_of_its_outputs_is_still_to_be_made(self, ctx: Context) -> None:
        first = await ended(ctx, 'echo x > "$POLYAXON_RUN_OUTPUTS_PATH/x"')
        uuid = (await experiment(ctx, first)).outputs_uuid
        copy = await make_experiment(ctx, 'cat "$POLYAXON_RUN_OUTPUTS_PATH/x"')
        await set_experiment(ctx, copy, copy_of=uuid)
        await set_experiment(ctx, first, deleted_at=datetime.now(UTC))
        await delete(ctx)
        await ctx.settle_actions()
        assert not await gone(ctx, first)
        await prepare(ctx)
        await launch(ctx)
        await ctx.settle_actions()

        async def over() -> bool:
            await observe(ctx)
            return (await experiment(ctx, copy)).finished_at is not None

        await until(over)
        assert (await experiment(ctx, copy)).status == "succeeded", await messages(ctx, copy)
        await passes(ctx, first)

    async def test_what_the_service_may_not_delete_is_cleared_by_the_launcher_first(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As root nothing is refused here, so the refusal is made."""
        id = await ended(ctx, 'echo x > "$POLYAXON_RUN_OUTPUTS_PATH/x"')
        uuid = (await experiment(ctx, id)).outputs_uuid
        cleared: list[str] = []
        deleting = Outputs.delete

        def delete_outputs(outputs: Outputs, key: str) -> None:
            if not cleared:
                raise PermissionError
            deleting(outputs, key)

        async def clear(_: object, uuid: str, __: str | None) -> None:
            cleared.append(uuid)

        monkeypatch.setattr(Outputs, "delete", delete_outputs)
        monkeypatch.setattr(LocalLauncher, "clear_outputs", clear)
        await set_experiment(ctx, id, deleted_at=datetime.now(UTC))
        await passes(ctx, id)
        assert cleared == [uuid]
        assert not (ctx.settings.data / "outputs" / uuid).exists()

    async def test_builds_code_and_projects_go_with_the_last_that_names_them(self, ctx: Context) -> None:
        id = await make_experiment(ctx, build={"build_steps": ["sleep 600"]})
        project_id = (await experiment(ctx, id)).project_id
        async with transaction(ctx.sessions) as session:
            code = insert(CodeArchive).values(project_id=project_id, sha256="0" * 64, size=1, step_files={})
            code_id = (await session.execute(code.returning(CodeArchive.id))).scalar_one()
        await set_experiment(ctx, id, code_id=code_id)
        await prepare(ctx)
        now = datetime.now(UTC)
        await set_experiment(ctx, id, status="stopped", finished_at=now, deleted_at=now)
        async with transaction(ctx.sessions) as session:
            await session.execute(update(Project).values(deleted_at=now))

        async def nothing() -> bool:
            await build(ctx)
            await delete(ctx)
            await ctx.settle_actions()
            async with ctx.sessions() as session:
                left = [(await session.execute(select(t))).first() for t in (Project.id, CodeArchive.id)]
            return left == [None, None]

        await until(nothing)
        assert await builds(ctx) == []


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
