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


def test_a_few_passes_need_no_rest_but_passes_without_end_have_their_share(ctx: Context) -> None:
    """So many wake-ups are one pass, and a single one never waits."""
    one, now, rests = loop.Loop(ctx), 1000.0, []
    for _ in range(20):
        rests.append(one._rest(now, now + 0.02))
        now += 0.02 + rests[-1]
    assert rests[:3] == [0.0] * 3
    assert rests[-10:] == pytest.approx([0.02 * (loop.SHARE - 1)] * 10)
    assert one._rest(now + 1, now + 6) == pytest.approx(loop.LONGEST_REST)
    assert one._rest(now + 60, now + 60.02) == 0.0


async def test_what_wakes_it_while_it_rests_is_one_pass(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: asyncio.Queue[None] = asyncio.Queue()

    async def once(_: Context) -> None:
        passes.put_nowait(None)

    monkeypatch.setattr(loop, "STEPS", (once,))
    monkeypatch.setattr(loop, "SELDOM", ())
    monkeypatch.setattr(loop.Loop, "_rest", lambda *_: 0.2)
    rare = replace(ctx, settings=ctx.settings.model_copy(update={"tick": 3600.0}))
    running = asyncio.create_task(loop.Loop(rare).run())
    await passes.get()
    for _ in range(5):
        rare.wake.set()
        await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await passes.get()
    assert passes.empty()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
