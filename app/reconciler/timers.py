"""What time alone brings about: silent trackers fail, and what nobody uses any more goes."""

from datetime import UTC, datetime, timedelta

from app.db.engine import transaction
from app.db.experiments import idempotency
from app.db.work import builds as db_builds
from app.db.work import experiments as db_experiments
from app.domain.lifecycle import Status
from app.reconciler.context import Context
from app.services.statuses import move_experiment


async def timers(ctx: Context) -> None:
    """One look at every clock; every deed can be repeated."""
    now = datetime.now(UTC)
    await _fail_silent(ctx, now)
    async with transaction(ctx.sessions) as session:
        await idempotency.remove_before(session, now - timedelta(seconds=ctx.settings.idempotency))
        unused = now - timedelta(seconds=ctx.settings.unused_environments)
        environments = await db_builds.unused_environments(session, unused)
    for environment in environments:
        key = f"remove environment {environment.hash}"
        ctx.begin(key, _remove_environment(ctx, environment.hash, environment.reference, unused))


async def _fail_silent(ctx: Context, now: datetime) -> None:
    seconds = ctx.settings.heartbeat_timeout
    async with transaction(ctx.sessions) as session:
        for row in await db_experiments.silent(session, now - timedelta(seconds=seconds)):
            message = f"no heartbeat for {seconds:g} seconds"
            await move_experiment(session, row.id, Status(row.status), Status.FAILED, message)


async def _remove_environment(ctx: Context, build_hash: str, reference: str, before: datetime) -> None:
    """The row first, so that nothing new begins to use it; a build of the same hash waits for the lock."""
    async with transaction(ctx.sessions) as session:
        await db_builds.lock_hash(session, build_hash)
        removed = await db_builds.forget_environment(session, build_hash, before)
    if removed:
        await ctx.launcher.remove_environment(reference)
