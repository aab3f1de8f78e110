"""New experiments: to `building` where an environment has to be made, else to `scheduled`."""

import asyncio
import logging
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import builds as db_builds
from app.db.work import experiments as db_experiments
from app.domain.lifecycle import Status
from app.domain.spec.rendered import RenderedSpec
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.reconciler.context import Context
from app.services.build_queue import add_build
from app.services.run_specs import hash_of_build, needs_build, render_row
from app.services.scheduling import schedule, schedule_all
from app.services.statuses import move_experiment, say_of_experiment

logger = logging.getLogger(__name__)


_AT_ONCE = 50  # that are scheduled in one transaction


async def prepare(ctx: Context) -> None:
    """Every experiment that was made and not looked at yet."""
    async with transaction(ctx.sessions) as session:
        rows = await db_experiments.in_status(session, Status.CREATED, Status.RESUMING)
    for start in range(0, len(rows), _AT_ONCE):
        await _prepare(ctx, rows[start : start + _AT_ONCE])


async def _prepare(ctx: Context, rows: Sequence[AnyRow]) -> None:
    ready = []
    for row in rows:
        rendered = render_row(ctx.settings, row)
        if needs_build(rendered):
            # What is looked up may be far away: nobody else waits for it.
            ctx.begin(f"look up the environment of experiment {row.id}", _look_up(ctx, row, rendered))
        else:
            ready.append((row, rendered))
    if ready:
        async with transaction(ctx.sessions) as session:
            await schedule_all(session, ready)


async def _look_up(ctx: Context, row: AnyRow, rendered: RenderedSpec) -> None:
    build_hash = hash_of_build(ctx.settings, rendered, row, ctx.launcher.name)
    try:
        environment = await ctx.launcher.find_environment(build_hash)
    except LaunchRefused as refusal:
        async with transaction(ctx.sessions) as session:
            await move_experiment(session, row.id, Status(row.status), Status.FAILED, str(refusal))
        return
    except LaunchDelayed as delay:
        async with transaction(ctx.sessions) as session:
            await say_of_experiment(session, row.id, Status(row.status), str(delay))
        await asyncio.sleep(ctx.settings.tick)
        return
    async with transaction(ctx.sessions) as session:
        await db_builds.lock_hash(session, build_hash)
        if environment is not None:
            await _use(session, row, rendered, build_hash, environment)
        else:
            await _wait(session, row, rendered, build_hash)


async def _use(
    session: AsyncSession, row: AnyRow, rendered: RenderedSpec, build_hash: str, environment: str
) -> None:
    """The environment is there: no `building`, and the project's row is `succeeded` at once."""
    build_id = await db_builds.find_succeeded(session, row.project_id, build_hash)
    if build_id is None:
        build_id = await add_build(
            session, row, rendered, build_hash, Status.SUCCEEDED, environment=environment
        )
    await db_builds.set_columns(session, build_id, environment=environment)
    await db_builds.use_environment(session, build_hash, environment)
    await schedule(session, row, rendered, build_id)


async def _wait(session: AsyncSession, row: AnyRow, rendered: RenderedSpec, build_hash: str) -> None:
    """A build of it is under way, or begins."""
    build_id = await db_builds.find_live(session, row.project_id, build_hash)
    if build_id is None:
        build_id = await add_build(session, row, rendered, build_hash, Status.CREATED)
    await move_experiment(session, row.id, Status(row.status), Status.BUILDING, values={"build_id": build_id})
