"""Work in a thread is waited for, whatever happens."""

import asyncio
import threading

import pytest

from app.services.logs.threads import in_thread


async def test_it_gives_what_the_work_gives_or_raises() -> None:
    assert await in_thread(int, "5") == 5
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "five")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancellation_comes_out_only_once_the_thread_has_ended(fails: bool) -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        go_on.wait(60)
        ended.set()
        if fails:
            raise ValueError("nobody hears it")

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_it_waits_for_no_copy_of_large_outputs() -> None:
    """Nor for anything else that has all of the loop's own threads."""
    end = threading.Event()
    long = [asyncio.create_task(asyncio.to_thread(end.wait)) for _ in range(64)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(30):
            assert await in_thread(int, "5") == 5
    finally:
        end.set()
        await asyncio.gather(*long)
