"""Bytes that a thread makes, for a coroutine that sends them: at most a few pieces ahead of it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

_AHEAD = 4

Put = Callable[[bytes], None]


class ReaderGone(Exception):
    """Raised by `put` in the thread when nobody reads any more; not to be caught there."""


async def stream_from_thread(produce: Callable[[Put], None]) -> AsyncGenerator[bytes, None]:
    """What `produce` puts, in order; its errors are raised here.

    It runs in a thread of its own, not the pool's: a reader who stalls holds up nobody else. When the reader
    goes, the next `put` raises ReaderGone, so that the thread ends and closes what it has open.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)
    gone = threading.Event()

    def put(piece: bytes) -> None:
        room.acquire()
        if gone.is_set():
            raise ReaderGone
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    def run() -> None:
        end: BaseException | None = None
        try:
            produce(put)
        except BaseException as error:
            end = error
        with suppress(RuntimeError):  # the loop is closed: nobody is there to hear it
            loop.call_soon_threadsafe(pieces.put_nowait, end)

    threading.Thread(target=run, name="stream", daemon=True).start()
    try:
        while (piece := await pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
            room.release()
    finally:
        gone.set()
        room.release()
