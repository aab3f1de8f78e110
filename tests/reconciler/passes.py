"""Steps of the reconciler, taken until what is waited for came of them."""

from typing import Any

from app.reconciler.context import Context
from app.reconciler.delete import delete
from app.reconciler.launch import launch
from app.reconciler.observe import observe
from app.reconciler.stop import stop
from tests.reconciler.conftest import until
from tests.reconciler.rows import (
    experiment,
    gone,
    make_experiment,
    prepare,
)


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
