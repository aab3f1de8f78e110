"""What every step of the reconciler works with."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from app.db.engine import Sessions
from app.db.notify import Listener
from app.domain.runs import RunSpec
from app.launchers.base import Launcher
from app.launchers.servers import JobServers
from app.services.attempts import RetryPolicy
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.storage.log_objects import LogObjectStore

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE = 4  # copies and deletions of outputs


@dataclass
class Context:
    """The reconciler's parts, and the long actions that are under way, at most one a key."""

    settings: Settings
    sessions: Sessions
    listener: Listener
    launcher: Launcher
    log_objects: LogObjectStore
    code: CodeArchives
    service_python: Callable[[], str]  # one with TensorBoard, where jobs run and for their users; blocks
    servers: JobServers = field(default_factory=JobServers)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    actions: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    runs: dict[str, RunSpec] = field(default_factory=dict)  # of scheduled experiments, rendered once
    pauses: dict[str, float] = field(default_factory=dict)  # seconds after delayed launches, by their uuid
    said: set[tuple[str, int, bool]] = field(default_factory=set)  # what they were told to wait for
    failing: set[str] = field(default_factory=set)  # keys of actions that failed last time
    told: dict[str, str] = field(default_factory=dict)  # what was last said of a live job, by its uuid
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, "outputs"))

    @property
    def policy(self) -> RetryPolicy:
        return RetryPolicy(self.settings.retry_backoff, self.settings.retry_backoff_max)

    async def on_outputs(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Long work on a disk, in a thread that nothing else waits for."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(work, *args, **kwargs))

    def begin(self, key: str, action: Coroutine[Any, Any, None]) -> None:
        """Run a long action beside the steps; a second one of the same key is dropped. The loop wakes
        when it has ended well. Actions are safe to run twice, like steps: a crash leaves them to the next
        start, an error to the next tick."""
        if key in self.actions:
            action.close()
            return
        task = asyncio.create_task(action, name=key)
        self.actions[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self.actions.pop(key, None)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self.failing.discard(key)
            self.wake.set()
        elif key not in self.failing:  # told once, however often it is tried
            self.failing.add(key)
            logger.error("%s failed, it is tried again", key, exc_info=error)

    async def find_service_python(self) -> str:
        """A Python with TensorBoard that the users of jobs can run; on one machine laid at the first call."""
        return await asyncio.to_thread(self.service_python)

    async def settle_actions(self) -> None:
        """Wait until no action is under way (for tests and for an orderly end)."""
        while self.actions:
            await asyncio.wait(list(self.actions.values()))
            await asyncio.sleep(0)
