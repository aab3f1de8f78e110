"""The loop: woken by what is announced, by the launcher, or by its tick, it takes every step once."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from app.db.notify import Channel
from app.db.trouble import is_away, reason
from app.reconciler.build import build
from app.reconciler.context import Context
from app.reconciler.delete import delete
from app.reconciler.finish import finish
from app.reconciler.launch import launch
from app.reconciler.observe import observe
from app.reconciler.orphans import orphans
from app.reconciler.prepare import prepare
from app.reconciler.status import ReconcilerStatus
from app.reconciler.stop import stop
from app.reconciler.tensorboards import tensorboards
from app.reconciler.timers import timers

logger = logging.getLogger(__name__)

Step = Callable[[Context], Awaitable[None]]

# In this order what a step makes possible is done by the next one, in the same pass.
STEPS: tuple[Step, ...] = (prepare, build, launch, stop, observe, tensorboards)
SELDOM: tuple[Step, ...] = (finish, delete)
SELDOM_AFTER = 0.5  # seconds between two looks at what is in no hurry
SHARE = 8.0  # passes without end take at most one part in so many of the time; they rest in the others
BURST = 0.5  # seconds that may be owed, so that a few passes need no rest
LONGEST_REST = 0.2  # seconds
TIMERS_AFTER = 2.0  # seconds between two looks at clocks
ORPHANS_AFTER = 30.0  # seconds between two looks for runs without a row: a lost answer may make one late


class Loop:
    """Runs the steps until it is cancelled. A step that fails is tried again at the next pass."""

    def __init__(self, ctx: Context, status: ReconcilerStatus | None = None) -> None:
        self._ctx = ctx
        self._seldom_at = 0.0
        self._put_off = False  # the steps in no hurry were not taken in the last pass
        self._timers_at = 0.0
        self._orphans_at = 0.0
        self._rested_at = 0.0  # when it will have rested from all passes
        self._status = status or ReconcilerStatus()

    async def run(self) -> None:
        """Pass after pass, beside what wakes it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear_announcements())
            group.create_task(self._hear_launcher())
            while True:
                began = time.monotonic()
                await self.step()
                # What many jobs bring about meanwhile is one pass.
                await asyncio.sleep(self._rest(began, time.monotonic()))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._ctx.wake.wait()

    def _rest(self, began: float, ended: float) -> float:
        """Seconds of rest after a pass."""
        rested_at = max(self._rested_at, began) + SHARE * (ended - began)
        self._rested_at = min(rested_at, ended + BURST + LONGEST_REST)
        return max(0.0, self._rested_at - BURST - ended)

    def _pause(self) -> float:
        """Seconds to the next pass that nothing asks for; what was put off is done in time."""
        tick = self._ctx.settings.tick
        return min(tick, max(0.0, self._seldom_at - time.monotonic())) if self._put_off else tick

    async def step(self) -> None:
        """One pass over all steps."""
        self._ctx.wake.clear()
        if time.monotonic() >= self._orphans_at:
            await self._safely(orphans)
            if orphans.__name__ not in self._status.failing:
                self._orphans_at = time.monotonic() + ORPHANS_AFTER
        for step in STEPS:
            await self._safely(step)
        self._put_off = time.monotonic() < self._seldom_at
        if not self._put_off:
            for step in SELDOM:
                await self._safely(step)
            self._seldom_at = time.monotonic() + SELDOM_AFTER
        if time.monotonic() >= self._timers_at:
            await self._safely(timers)
            self._timers_at = time.monotonic() + TIMERS_AFTER
        self._status.passed_at = time.monotonic()

    async def _safely(self, step: Step) -> None:
        name, failing = step.__name__, self._status.failing
        try:
            await step(self._ctx)
        except Exception as error:
            # Told once, however long the database or the launcher is away.
            if name not in failing and is_away(error):
                logger.warning("step %s failed: %s", name, reason(error))
            elif name not in failing:
                logger.error("step %s failed: %s", name, error, exc_info=True)
            failing[name] = reason(error)
        else:
            if failing.pop(name, None):
                logger.info("step %s works again", name)

    async def _hear_announcements(self) -> None:
        with self._ctx.listener.subscribe(Channel.WORK) as news:
            while True:
                if await news.wait(3600):
                    self._ctx.wake.set()

    async def _hear_launcher(self) -> None:
        async for _ in self._ctx.launcher.changes():
            self._ctx.wake.set()
