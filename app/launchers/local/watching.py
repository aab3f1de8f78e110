"""Notices that a job has begun or ended: the runner's end by its pidfd, the rest by looking now and then."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from app.domain.runs import JobRef
from app.launchers.local.runner import records

_SOON = 0.05  # seconds between looks while some job is on its way to running
_LATER = 1.0


class Watch:
    """Hints about jobs that have runners. `folder` gives a job's folder; `settle` brings a job whose runner
    has ended to its end, in case it was killed."""

    def __init__(
        self, folder: Callable[[JobRef], Path], settle: Callable[[JobRef], Awaitable[object]]
    ) -> None:
        self._folder = folder
        self._settle = settle
        self._endings: set[asyncio.Task[None]] = set()
        self._descriptors: dict[JobRef, int] = {}
        self._beginning: set[JobRef] = set()
        self._notes: dict[JobRef, int] = {}
        self._subscribers: set[asyncio.Queue[JobRef]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look(), name="watch of jobs")

    async def close(self) -> None:
        """Look no more, and let go of all descriptors."""
        for ref in list(self._descriptors):
            self.drop(ref)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, *self._endings, return_exceptions=True)

    def add(self, ref: JobRef) -> None:
        """Watch a job whose runner is there, or was."""
        if ref in self._descriptors:
            return
        runner = records.read_record(str(self._folder(ref)), records.RUNNER) or {}
        pid = runner.get("pid")
        try:
            descriptor = os.pidfd_open(pid if isinstance(pid, int) else -1)
        except (OSError, ValueError):
            self._ended(ref)  # gone already
            return
        self._descriptors[ref] = descriptor
        self._beginning.add(ref)
        asyncio.get_running_loop().add_reader(descriptor, self._ended, ref)
        self._wake.set()

    def drop(self, ref: JobRef) -> None:
        """Watch it no more."""
        self._beginning.discard(ref)
        self._notes.pop(ref, None)
        descriptor = self._descriptors.pop(ref, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def tell(self, ref: JobRef) -> None:
        """There may be something new about the job."""
        for queue in self._subscribers:
            queue.put_nowait(ref)

    async def changes(self) -> AsyncIterator[JobRef]:
        """Every hint from now on."""
        queue: asyncio.Queue[JobRef] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    def _ended(self, ref: JobRef) -> None:
        self.drop(ref)
        task = asyncio.create_task(self._settle_and_tell(ref))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _settle_and_tell(self, ref: JobRef) -> None:
        await self._settle(ref)
        self.tell(ref)

    async def _look(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_SOON if self._beginning else _LATER):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            for ref in [ref for ref in self._beginning if (self._folder(ref) / records.STARTED).exists()]:
                self._beginning.discard(ref)
                self.tell(ref)
            for ref in list(self._descriptors):
                self._look_at_note(ref)

    def _look_at_note(self, ref: JobRef) -> None:
        try:
            changed = os.stat(self._folder(ref) / records.NOTE).st_mtime_ns  # noqa: PTH116
        except FileNotFoundError:
            return
        if self._notes.setdefault(ref, changed) != changed:
            self._notes[ref] = changed
            self.tell(ref)
