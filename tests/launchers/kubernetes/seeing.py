"""Waits for what a launcher sees."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from app.domain.lifecycle import DONE, Status
from app.domain.runs import JobObservation, JobRef, RunSpec
from app.launchers.base import LogPosition
from app.launchers.kubernetes.launcher import KubernetesLauncher

Seen = Callable[[JobObservation], bool]
LONGEST = 100.0  # seconds


def is_(*statuses: Status) -> Seen:
    """Whether it has one of these statuses."""
    return lambda seen: seen.status in statuses


over = is_(*DONE)
runs = is_(Status.RUNNING)


async def until(launcher: KubernetesLauncher, ref: JobRef, seen: Seen = over) -> JobObservation:
    """Wait until what is observed of a job meets a condition; gives it."""
    found: JobObservation | None = None
    try:
        async with asyncio.timeout(LONGEST):
            while True:
                found = (await launcher.observe([ref])).get(ref)
                if found is not None and seen(found):
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"the job did not come so far in {LONGEST:g} s; at last {found}")


async def ran(launcher: KubernetesLauncher, run: RunSpec) -> JobObservation:
    """Launch a run of one job and wait for its end."""
    await launcher.launch(run)
    return await until(launcher, run.jobs[0].ref)


async def read_to_end(
    launcher: KubernetesLauncher,
    ref: JobRef,
    position: LogPosition = LogPosition(),  # noqa: B008 - frozen
) -> tuple[bytes, list[tuple[datetime, datetime]]]:
    """All entries of a job's log from a position on, as the collector reads them, and the gaps in it."""
    entries: bytes = b""
    gaps: list[tuple[datetime, datetime]] = []
    try:
        async with asyncio.timeout(LONGEST):
            while True:
                if not await launcher.logs_ahead({ref: position}):
                    await asyncio.sleep(0.02)
                    continue
                read = await launcher.read_log(ref, position, 256 * 1024)
                entries, position = entries + read.data, read.end
                if read.gap is not None:
                    gaps.append(read.gap)
                if read.eof:
                    return entries, gaps
    except TimeoutError:
        pytest.fail(f"the log did not end in {LONGEST:g} s; so far {entries[-500:]!r}")


async def lines_of(launcher: KubernetesLauncher, ref: JobRef) -> list[str]:
    """The whole log of a job, without times."""
    entries, gaps = await read_to_end(launcher, ref)
    assert not gaps
    return [line.split(" ", 3)[3] for line in entries.decode().splitlines()]
