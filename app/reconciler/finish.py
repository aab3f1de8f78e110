"""What finished is kept a while on the launcher, for those who want to look, and then removed there."""

from datetime import UTC, datetime, timedelta

from app.db.engine import transaction
from app.db.work import builds as db_builds
from app.db.work import experiments as db_experiments
from app.db.work import jobs as db_jobs
from app.domain.runs import JobRef
from app.reconciler.context import Context


async def finish(ctx: Context) -> None:
    """Forget the attempts of experiments and builds whose logs are stored and whose time is over."""
    now = datetime.now(UTC)
    async with transaction(ctx.sessions) as session:
        experiments = await db_experiments.finished_uncleaned(session, ctx.settings.ttl)
        builds = await db_builds.finished_uncleaned(session, now - timedelta(seconds=ctx.settings.ttl))
    for row in experiments:
        ctx.begin(f"clean experiment {row.id}", _clean_experiment(ctx, row.id))
    for row in builds:
        ctx.begin(f"clean build {row.id}", _clean_build(ctx, row.id, row.uuid, row.attempt))


async def _clean_experiment(ctx: Context, experiment_id: int) -> None:
    async with transaction(ctx.sessions) as session:
        refs = await db_jobs.refs_of(session, experiment_id)
    for _, uuid, attempt in refs:
        await ctx.launcher.forget(JobRef(uuid, attempt))
    async with transaction(ctx.sessions) as session:
        await db_experiments.set_columns(session, experiment_id, cleaned_at=datetime.now(UTC))


async def _clean_build(ctx: Context, build_id: int, uuid: str, attempts: int) -> None:
    for attempt in range(1, attempts + 1):
        await ctx.launcher.forget(JobRef(uuid, attempt))
    async with transaction(ctx.sessions) as session:
        await db_builds.set_columns(session, build_id, cleaned_at=datetime.now(UTC))
