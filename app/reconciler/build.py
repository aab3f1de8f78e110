"""Builds: one run for all rows of a hash, followed to its end, stopped when nobody waits for it any more."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import builds as db
from app.domain.lifecycle import DONE, Status
from app.domain.logs.owners import OwnerKind
from app.domain.runs import JobObservation, JobRef
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.reconciler.context import Context
from app.services.build_queue import build_run, finish_build
from app.services.logs.opening import open_logs
from app.services.run_specs import with_token
from app.services.statuses import move_build, say_of_experiment
from app.services.tokens import create_build_token

INFRASTRUCTURE_TRIES = 2
LAST_LINES = 10
LONGEST = 500  # characters of a line in a message


async def build(ctx: Context) -> None:
    """One pass over all builds that are not done, a hash at a time."""
    async with transaction(ctx.sessions) as session:
        rows = sorted(await db.live(session), key=lambda row: (row.hash, row.attempt == 0, row.id))
    for build_hash, group in groupby(rows, key=lambda row: row.hash):
        await _follow(ctx, list(group), f"build {build_hash}")


async def _follow(ctx: Context, rows: Sequence[AnyRow], key: str) -> None:
    """Rows of one hash, the one that runs first. It builds for all of them. What may take long is an action,
    one at a time."""
    leader = rows[0]
    if leader.attempt == 0:
        await _begin(ctx, rows, key)
        return
    wanted = any(row.wanted for row in rows)
    ref = JobRef(leader.uuid, leader.attempt)
    observation = (await ctx.launcher.observe([ref])).get(ref)
    if observation is None and key in ctx.actions:
        if not wanted:  # it waits to be launched, and is not to begin any more
            await ctx.launcher.stop(ref, ctx.settings.grace)
        return
    if observation is None:
        if wanted:
            ctx.begin(key, _launch(ctx, rows))
        else:
            await _end(ctx, rows, Status.STOPPED, None)
        return
    if observation.status in DONE:
        ctx.begin(key, _finish(ctx, rows, observation))
        return
    if observation.status.value != leader.status:
        async with transaction(ctx.sessions) as session:
            await move_build(
                session, leader.id, Status(leader.status), observation.status, observation.message
            )
    if not wanted:  # else it goes on, though its own project may have given it up
        await ctx.launcher.stop(ref, ctx.settings.grace)


async def _begin(ctx: Context, rows: Sequence[AnyRow], key: str) -> None:
    for row in rows:
        if not row.wanted:
            await _end(ctx, [row], Status.STOPPED, "nothing waits for it any more")
    first = next((row for row in rows if row.wanted), None)
    if first is not None:
        ctx.begin(key, _look_up(ctx, rows, first))


async def _look_up(ctx: Context, rows: Sequence[AnyRow], first: AnyRow) -> None:
    """It may be there by now; else the build of `first` is claimed."""
    try:
        environment = await ctx.launcher.find_environment(first.hash)
    except LaunchRefused as refusal:
        await _end(ctx, rows, Status.FAILED, str(refusal))
        return
    except LaunchDelayed as delay:
        await _wait(ctx, rows, delay)
        return
    if environment is not None:
        await _end(ctx, rows, Status.SUCCEEDED, "the environment was there already", environment)
        return
    async with transaction(ctx.sessions) as session:
        await db.lock_hash(session, first.hash)
        if not await db.is_building(session, first.hash):  # for another's row, since these were read
            await _claim(session, first, None)


async def _claim(session: AsyncSession, row: AnyRow, message: str | None) -> None:
    """Raise the attempt before anything of it is launched."""
    attempt = row.attempt + 1
    moved = await move_build(
        session, row.id, Status(row.status), Status.SCHEDULED, message, values={"attempt": attempt}
    )
    if moved:
        await open_logs(session, OwnerKind.BUILD, {row.id: {JobRef(row.uuid, attempt): None}})


async def _launch(ctx: Context, rows: Sequence[AnyRow]) -> None:
    """Claimed and not there yet, or a crash came in between: launching twice starts one."""
    row = rows[0]
    async with transaction(ctx.sessions) as session:
        token = await create_build_token(session, row.id) if row.code is not None else None
    try:
        definitions = await ctx.launcher.launch(with_token(build_run(ctx.settings, row), token))
    except LaunchDelayed as delay:
        await _wait(ctx, rows, delay)
        return
    except LaunchRefused as refusal:
        await _end(ctx, [row], Status.FAILED, str(refusal))
        return
    async with transaction(ctx.sessions) as session:
        await db.set_columns(session, row.id, definition=next(iter(definitions.values()), None))


async def _wait(ctx: Context, rows: Sequence[AnyRow], delay: LaunchDelayed) -> None:
    """Say to all that wait for the build what it waits for; it is tried again after a tick, not before."""
    async with transaction(ctx.sessions) as session:
        for row in rows:
            for experiment_id in await db.waiting(session, row.id):
                await say_of_experiment(session, experiment_id, Status.BUILDING, str(delay))
    await asyncio.sleep(ctx.settings.tick)


async def _finish(ctx: Context, rows: Sequence[AnyRow], seen: JobObservation) -> None:
    leader = rows[0]
    if seen.status is Status.SUCCEEDED:
        await _succeed(ctx, rows, seen)
    elif seen.status is Status.FAILED and seen.infrastructure and leader.attempt < INFRASTRUCTURE_TRIES:
        async with transaction(ctx.sessions) as session:
            message = f"attempt {leader.attempt + 1} of {INFRASTRUCTURE_TRIES}: {seen.message}"
            await _claim(session, leader, message)
    elif seen.status is Status.STOPPED:
        # Only the row that ran ends: if somebody began to wait meanwhile, theirs runs next.
        await _end(ctx, [leader], Status.STOPPED, seen.message, None, seen)
    else:
        await _end(ctx, rows, Status.FAILED, await _with_last_lines(ctx, seen), None, seen)


async def _succeed(ctx: Context, rows: Sequence[AnyRow], seen: JobObservation) -> None:
    """What it made is there; else it is as good as failed."""
    try:
        environment = await ctx.launcher.find_environment(rows[0].hash)
    except LaunchDelayed as delay:
        await _wait(ctx, rows, delay)
        return
    except LaunchRefused as refusal:
        await _end(ctx, rows, Status.FAILED, str(refusal), None, seen)
        return
    if environment is not None:
        await _end(ctx, rows, Status.SUCCEEDED, None, environment, seen)
    else:
        await _end(ctx, rows, Status.FAILED, "the environment that it made is gone", None, seen)


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
