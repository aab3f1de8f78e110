"""Finished logs that are open: one handle and one index for all that read the same one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.services.logs.threads import in_thread
from app.storage.log_objects import LogObject, LogObjectStore


class _Shared:
    """A handle that is being opened or open, and how many use it."""

    def __init__(self, opening: "asyncio.Task[LogObject]") -> None:
        self.opening = opening
        self.users = 0


class OpenLogs:
    """Opens an object for the first who reads it and closes it after the last."""

    def __init__(self, store: LogObjectStore) -> None:
        self._store = store
        self._shared: dict[str, _Shared] = {}

    @asynccontextmanager
    async def use(self, key: str) -> AsyncIterator[LogObject]:
        """The object of a key. Read it through `in_thread` alone. Raises NotFound, DamagedLog."""
        shared = self._shared.get(key)
        if shared is None:
            shared = _Shared(asyncio.create_task(in_thread(self._store.open, key)))
            self._shared[key] = shared
        shared.users += 1
        try:
            yield await asyncio.shield(shared.opening)
        finally:
            shared.users -= 1
            if not shared.users:
                del self._shared[key]
                shared.opening.add_done_callback(_close)


def _close(opening: "asyncio.Task[LogObject]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
