"""delete: what was deleted goes for good, whatever is left of it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select, update

from app.db.engine import transaction
from app.db.tables import CodeArchive, Project, User
from app.launchers.base import LauncherAway
from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from app.reconciler.delete import delete
from app.reconciler.launch import launch
from app.reconciler.observe import observe
from app.storage.outputs import Outputs
from tests.reconciler.conftest import until
from tests.reconciler.passes import ended, passes, started
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


async def test_what_runs_is_ended_first_and_then_all_of_it_goes(ctx: Context) -> None:
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


async def test_outputs_that_a_resume_uses_stay_until_that_goes(ctx: Context) -> None:
    first, second = await ended(ctx), await ended(ctx)
    uuid = (await experiment(ctx, first)).outputs_uuid
    await set_experiment(ctx, second, outputs_uuid=uuid)
    await set_experiment(ctx, first, deleted_at=datetime.now(UTC))
    await passes(ctx, first)
    assert (ctx.settings.data / "outputs" / uuid).exists()
    await set_experiment(ctx, second, deleted_at=datetime.now(UTC))
    await passes(ctx, second)
    assert not (ctx.settings.data / "outputs" / uuid).exists()


async def test_outputs_go_when_all_that_use_them_are_deleted_at_once(ctx: Context) -> None:
    first, second = await ended(ctx), await ended(ctx)
    uuid = (await experiment(ctx, first)).outputs_uuid
    await set_experiment(ctx, second, outputs_uuid=uuid)
    for id in (first, second):
        await set_experiment(ctx, id, deleted_at=datetime.now(UTC))
    await passes(ctx, first)
    await passes(ctx, second)
    assert not (ctx.settings.data / "outputs" / uuid).exists()


async def test_one_that_can_t_be_deleted_holds_up_nothing_else(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
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


async def test_it_stays_while_a_copy_of_its_outputs_is_still_to_be_made(ctx: Context) -> None:
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
    ctx: Context, monkeypatch: pytest.MonkeyPatch
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


async def test_builds_code_and_projects_go_with_the_last_that_names_them(ctx: Context) -> None:
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
