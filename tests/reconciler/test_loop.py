"""The loop of the reconciler: what is in no hurry waits a little, never for the next tick."""

import asyncio
from dataclasses import replace

import pytest

from app.reconciler import loop
from app.reconciler.context import Context


async def test_what_was_put_off_is_done_soon_however_rare_the_ticks(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()
    woken: list[bool] = []

    async def seldom(_: Context) -> None:
        done.put_nowait("seldom")

    async def often(ctx: Context) -> None:
        if not woken:
            woken.append(True)
            ctx.wake.set()
        done.put_nowait("often")

    monkeypatch.setattr(loop, "STEPS", (often,))
    monkeypatch.setattr(loop, "SELDOM", (seldom,))
    rare = replace(ctx, settings=ctx.settings.model_copy(update={"tick": 3600.0}))
    running = asyncio.create_task(loop.Loop(rare).run())
    async with asyncio.timeout(60):
        seen = [await done.get() for _ in range(5)]
    assert seen == ["often", "seldom", "often", "often", "seldom"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
