"""Removes for good what was deleted: first what lies outside the database, then the rows."""

import asyncio

from app.db import code as db_code
from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import deletions as db
from app.db.work import jobs as db_jobs
from app.domain.runs import JobRef
from app.reconciler.context import Context
from app.services.outputs_places import outputs_on


async def delete(ctx: Context) -> None:
    """One pass: experiments that ended, then builds, code and projects that nothing names any more.

    Every removal can be repeated: the row that tells of it goes last. One that fails, since what it needs
    is away, holds up no other.
    """
    async with transaction(ctx.sessions) as session:
        experiments = await db.ended_experiments(session)
        builds = await db.unnamed_builds(session)
        archives = await db.unnamed_archives(session)
        for project_id in await db.empty_projects(session):
            await db.remove_project(session, project_id)
    for row in experiments:
        # One after another where they share outputs, so that the last one takes these with it.
        ctx.begin(f"delete with outputs {row.outputs_uuid}", _delete_experiment(ctx, row))
    for build in builds:
        ctx.begin(f"delete build {build.uuid}", _delete_build(ctx, build))
    for archive in archives:
        ctx.begin(f"delete code {archive.sha256}", _delete_archive(ctx, archive))


async def _delete_experiment(ctx: Context, row: AnyRow) -> None:
    async with transaction(ctx.sessions) as session:
        refs = await db_jobs.refs_of(session, row.id)
        tensorboard = await db.tensorboard_of(session, row.id)
        shared = await db.outputs_shared(session, row.id, row.outputs_uuid)
        if not shared and await db.copy_pending(session, row.outputs_uuid):
            return  # its outputs are still to be copied: it goes after that
    for _, uuid, attempt in refs:
        await ctx.launcher.forget(JobRef(uuid, attempt))
    if tensorboard is not None:
        for attempt in range(1, tensorboard.attempt + 1):
            await ctx.launcher.forget(JobRef(tensorboard.uuid, attempt))
    # Whether its row names it or not: a crash may have come between the two.
    await asyncio.to_thread(ctx.log_objects.delete, row.uuid)
    if not shared:
        # The user goes before its files: nobody else may get this uid while they lie there.
        await _delete_outputs(ctx, row.outputs_uuid, row.outputs_volume)
        await ctx.launcher.release(row.outputs_uuid)
    async with transaction(ctx.sessions) as session:
        await db.remove_experiment(session, row.id)


async def _delete_outputs(ctx: Context, uuid: str, volume: str | None) -> None:
    """By the service's own rights, else by those that jobs had."""
    outputs = outputs_on(ctx.settings, volume)
    try:
        await ctx.on_outputs(outputs.delete, uuid)
    except PermissionError:
        await ctx.launcher.clear_outputs(uuid, volume)
        await ctx.on_outputs(outputs.delete, uuid)


async def _delete_archive(ctx: Context, archive: AnyRow) -> None:
    async with transaction(ctx.sessions) as session:
        # Under the lock an upload of the same code waits, then finds the file gone and stores it again.
        await db_code.lock_file(session, archive.sha256)
        await db.remove_archive(session, archive.id)
        if not await db_code.is_named(session, archive.sha256):
            await asyncio.to_thread(ctx.code.delete, archive.sha256)


async def _delete_build(ctx: Context, build: AnyRow) -> None:
    for attempt in range(1, build.attempt + 1):
        await ctx.launcher.forget(JobRef(build.uuid, attempt))
    async with transaction(ctx.sessions) as session:
        removed = await db.remove_build(session, build.id)
    if removed:
        await ctx.launcher.release(build.uuid)
        if build.object is not None:
            await asyncio.to_thread(ctx.log_objects.delete, build.object)
