"""Finished logs that are open: one handle for all that read the same one."""

import asyncio
import os
from pathlib import Path

import pytest

from app.domain.logs.cri import posted_lines
from app.errors import NotFound
from app.services.logs.objects import OpenLogs
from app.services.logs.threads import in_thread
from app.storage.log_frames import encode_frame
from app.storage.log_objects import LocalLogObjects, LogObject
from tests.log_jobs import BEGIN


class Counting(LocalLogObjects):
    """Counts what is opened."""

    opened = 0

    def open(self, key: str) -> LogObject:
        self.opened += 1
        return super().open(key)


@pytest.fixture
def objects(tmp_path: Path) -> Counting:
    objects = Counting(tmp_path)
    with objects.create("ab") as writer:
        writer.add(0, encode_frame(posted_lines(None, BEGIN, ["a line"])))
        writer.commit()
    return objects


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


async def test_it_is_opened_for_the_first_and_closed_after_the_last(objects: Counting) -> None:
    logs = OpenLogs(objects)
    before = count_descriptors()
    async with logs.use("ab") as first, logs.use("ab") as second:
        assert first is second
        assert (await in_thread(second.read, 0)).text == b"a line\n"
        assert count_descriptors() == before + 1
    await asyncio.sleep(0)
    assert (objects.opened, count_descriptors()) == (1, before)
    async with logs.use("ab"):
        assert objects.opened == 2


async def test_who_leaves_while_it_is_being_opened_leaves_nothing_open(objects: Counting) -> None:
    logs = OpenLogs(objects)
    before = count_descriptors()

    async def use() -> None:
        async with logs.use("ab"):
            pass

    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60):
        while count_descriptors() != before or not objects.opened:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_is_not_there_is_not_found_and_is_tried_anew(objects: Counting) -> None:
    logs = OpenLogs(objects)
    for _ in range(2):
        with pytest.raises(NotFound):
            async with logs.use("cd"):
                pass
    assert objects.opened == 2
