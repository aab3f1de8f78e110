"""Ends what is to end: stopped or deleted experiments, and the peers of jobs that ended an attempt."""

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import DONE, Status
from app.domain.runs import JobRef
from app.reconciler.context import Context


async def stop(ctx: Context) -> None:
    """Ask each such job to end; asking again changes nothing, so a crash needs no memory."""
    async with transaction(ctx.sessions) as session:
        rows = await db_jobs.live(session)
    for row in rows:
        if _is_to_end(row):
            await ctx.launcher.stop(JobRef(row.uuid, row.attempt), ctx.settings.grace)


def _is_to_end(row: AnyRow) -> bool:
    wanted = row.stop_requested_at or row.deleted_at or row.ending
    return bool(wanted) or Status(row.experiment_status) in DONE
