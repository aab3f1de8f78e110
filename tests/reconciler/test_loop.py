"""The loop of the reconciler: what is in no hurry waits a little, never for the next tick."""

import asyncio
from dataclasses import replace
from itertools import pairwise

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


async def test_after_a_pass_it_rests_so_that_many_wake_ups_are_one_pass(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: asyncio.Queue[float] = asyncio.Queue()
    clock = asyncio.get_running_loop()

    async def often(ctx: Context) -> None:
        began.put_nowait(clock.time())
        await asyncio.sleep(0.02)
        ctx.wake.set()

    monkeypatch.setattr(loop, "STEPS", (often,))
    monkeypatch.setattr(loop, "SELDOM", ())
    running = asyncio.create_task(loop.Loop(ctx).run())
    async with asyncio.timeout(60):
        times = [await began.get() for _ in range(4)]
    rest = min(later - earlier - 0.02 for earlier, later in pairwise(times))
    assert rest >= 0.02 * loop.REST[0] - 0.001
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
