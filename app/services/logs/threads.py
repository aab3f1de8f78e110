"""Blocking work in a thread that is waited for whatever happens, so that nothing is closed under it.

The threads are of logs alone: lines wait for no copy or deletion of large outputs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(8, thread_name_prefix="logs")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like `asyncio.to_thread`, but a cancellation comes out only once the thread has ended."""
    running = asyncio.get_running_loop().run_in_executor(_threads, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # heard, if there is one
        raise
