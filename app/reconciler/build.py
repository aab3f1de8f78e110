"""Builds: one run for all rows of a hash, followed to its end, stopped when nobody waits for it any more."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import builds as db
from app.domain.lifecycle import DONE, Status
from app.domain.logs.owners import LogOwner, OwnerKind
from app.domain.runs import JobObservation, JobRef
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.reconciler.context import Context
from app.services.build_queue import build_run, finish_build
from app.services.logs.opening import open_logs
from app.services.statuses import move_build, say_of_experiment

INFRASTRUCTURE_TRIES = 2
LAST_LINES = 10
LONGEST = 500  # characters of a line in a message


async def build(ctx: Context) -> None:
    """One pass over all builds that are not done, a hash at a time."""
    async with transaction(ctx.sessions) as session:
        rows = sorted(await db.live(session), key=lambda row: (row.hash, row.attempt == 0, row.id))
    for _, group in groupby(rows, key=lambda row: row.hash):
        await _follow(ctx, list(group))


async def _follow(ctx: Context, rows: Sequence[AnyRow]) -> None:
    """Rows of one hash, the one that runs first. It builds for all of them."""
    leader = rows[0]
    if leader.attempt == 0:
        await _begin(ctx, rows)
        return
    wanted = any(row.wanted for row in rows)
    ref = JobRef(leader.uuid, leader.attempt)
    observation = (await ctx.launcher.observe([ref])).get(ref)
    if observation is None:
        await _launch(ctx, rows) if wanted else await _end(ctx, rows, Status.STOPPED, None)
        return
    if observation.status in DONE:
        await _finish(ctx, rows, observation)
        return
    if observation.status.value != leader.status:
        async with transaction(ctx.sessions) as session:
            await move_build(
                session, leader.id, Status(leader.status), observation.status, observation.message
            )
    if not wanted:  # else it goes on, though its own project may have given it up
        await ctx.launcher.stop(ref, ctx.settings.grace)


async def _begin(ctx: Context, rows: Sequence[AnyRow]) -> None:
    for row in rows:
        if not row.wanted:
            await _end(ctx, [row], Status.STOPPED, "nothing waits for it any more")
    first = next((row for row in rows if row.wanted), None)
    if first is None:
        return
    try:
        environment = await ctx.launcher.find_environment(first.hash)
    except LaunchRefused as refusal:
        await _end(ctx, rows, Status.FAILED, str(refusal))
        return
    if environment is not None:
        await _end(ctx, rows, Status.SUCCEEDED, "the environment was there already", environment)
        return
    async with transaction(ctx.sessions) as session:
        await _claim(session, first, None)
    ctx.wake.set()


async def _claim(session: AsyncSession, row: AnyRow, message: str | None) -> None:
    """Raise the attempt before anything of it is launched."""
    attempt = row.attempt + 1
    moved = await move_build(
        session, row.id, Status(row.status), Status.SCHEDULED, message, values={"attempt": attempt}
    )
    if moved:
        await open_logs(session, LogOwner(OwnerKind.BUILD, row.id), {JobRef(row.uuid, attempt): None})


async def _launch(ctx: Context, rows: Sequence[AnyRow]) -> None:
    """Claimed and not there yet, or a crash came in between: launching twice starts one."""
    row = rows[0]
    try:
        definitions = await ctx.launcher.launch(build_run(ctx.settings, row))
    except LaunchDelayed as delay:
        await _say(ctx, rows, str(delay))
        return
    except LaunchRefused as refusal:
        await _end(ctx, [row], Status.FAILED, str(refusal))
        return
    async with transaction(ctx.sessions) as session:
        await db.set_columns(session, row.id, definition=next(iter(definitions.values()), None))
    ctx.wake.set()


async def _say(ctx: Context, rows: Sequence[AnyRow], message: str) -> None:
    """To all that wait for the build."""
    async with transaction(ctx.sessions) as session:
        for row in rows:
            for experiment_id in await db.waiting(session, row.id):
                await say_of_experiment(session, experiment_id, Status.BUILDING, message)


async def _finish(ctx: Context, rows: Sequence[AnyRow], seen: JobObservation) -> None:
    leader = rows[0]
    if seen.status is Status.SUCCEEDED:
        environment = await ctx.launcher.find_environment(leader.hash)
        if environment is not None:
            await _end(ctx, rows, Status.SUCCEEDED, None, environment, seen)
            return
        await _end(ctx, rows, Status.FAILED, "the environment that it made is gone", None, seen)
    elif seen.status is Status.FAILED and seen.infrastructure and leader.attempt < INFRASTRUCTURE_TRIES:
        async with transaction(ctx.sessions) as session:
            message = f"attempt {leader.attempt + 1} of {INFRASTRUCTURE_TRIES}: {seen.message}"
            await _claim(session, leader, message)
        ctx.wake.set()
    elif seen.status is Status.STOPPED:
        # Only the row that ran ends: if somebody began to wait meanwhile, theirs runs next.
        await _end(ctx, [leader], Status.STOPPED, seen.message, None, seen)
    else:
        await _end(ctx, rows, Status.FAILED, await _with_last_lines(ctx, seen), None, seen)


async def _with_last_lines(ctx: Context, seen: JobObservation) -> str:
    """Which step failed, and what it said last."""
    lines = await ctx.launcher.last_lines(seen.ref, LAST_LINES)
    said = [line[:LONGEST] for line in lines if line.strip()]
    return "\n".join([seen.message or "failed", *said])


async def _end(
    ctx: Context,
    rows: Iterable[AnyRow],
    to: Status,
    message: str | None,
    environment: str | None = None,
    seen: JobObservation | None = None,
) -> None:
    async with transaction(ctx.sessions) as session:
        for row in rows:
            await finish_build(
                session,
                ctx.settings,
                row,
                to,
                message,
                environment=environment,
                at=max(seen.finished_at, row.started_at or row.created_at)
                if seen is not None and seen.finished_at is not None
                else None,
                details=dict(seen.details) if seen is not None and seen.details else None,
            )
