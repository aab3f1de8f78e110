"""What a thread makes arrives in order, a few pieces ahead at most, and the thread ends with its reader."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from app.storage.thread_streams import Put, ReaderGone, stream_from_thread


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def read_into(got: list[bytes], stream: AsyncIterator[bytes]) -> None:
    async for piece in stream:
        got.append(piece)  # noqa: PERF401 - what came before an error counts


async def test_pieces_come_in_order_and_end() -> None:
    def produce(put: Put) -> None:
        for n in range(100):
            put(b"%d" % n)

    assert [piece async for piece in stream_from_thread(produce)] == [b"%d" % n for n in range(100)]


async def test_an_error_in_the_thread_is_raised_after_what_came_before_it() -> None:
    def produce(put: Put) -> None:
        put(b"a")
        raise ValueError("broken")

    got: list[bytes] = []
    with pytest.raises(ValueError, match="broken"):
        await read_into(got, stream_from_thread(produce))
    assert got == [b"a"]


async def test_it_is_a_few_pieces_ahead_of_its_reader_and_ends_when_he_goes() -> None:
    made = 0
    ended = threading.Event()

    def produce(put: Put) -> None:
        nonlocal made
        try:
            while True:
                put(b"x")
                made += 1
        except ReaderGone:
            ended.set()
            raise

    async with aclosing(stream_from_thread(produce)) as stream:
        await anext(stream)
        await until(lambda: made >= 4)
        await asyncio.sleep(0)
        assert made <= 5
    await until(ended.is_set)


async def test_a_reader_that_is_cancelled_while_it_waits_ends_the_thread() -> None:
    go = threading.Event()
    ended = threading.Event()

    def produce(put: Put) -> None:
        go.wait(60)
        try:
            put(b"x")
            put(b"y")
        finally:
            ended.set()

    async def read() -> None:
        async for _ in stream_from_thread(produce):
            pass

    task = asyncio.create_task(read())
    await until(lambda: any(thread.name == "stream" for thread in threading.enumerate()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await until(ended.is_set)


def test_a_loop_that_is_closed_ends_the_thread() -> None:
    go = threading.Event()
    threads: list[threading.Thread] = []

    def produce(put: Put) -> None:
        threads.append(threading.current_thread())
        put(b"x")
        go.wait(60)

    async def read() -> None:
        stream = stream_from_thread(produce)
        await anext(stream)
        await stream.aclose()

    asyncio.run(read())
    go.set()
    threads[0].join(10)
    assert not threads[0].is_alive()
