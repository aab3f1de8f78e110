"""Runs without a row: what a crash or a restored database left on the launcher is removed."""

from app.db.engine import transaction
from app.db.work import orphans as db
from app.reconciler.context import Context


async def orphans(ctx: Context) -> None:
    """Forget every known attempt whose job, build or TensorBoard has no row."""
    known = await ctx.launcher.known()
    async with transaction(ctx.sessions) as session:
        rows = await db.with_rows(session, [ref.uuid for ref in known])
    for ref in known:
        if ref.uuid not in rows:
            ctx.begin(f"forget {ref.name}", ctx.launcher.forget(ref))
