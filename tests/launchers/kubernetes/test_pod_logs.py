"""A pod's log reaches its reader whole and once: followed, resumed, after the end, after a deletion."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiohttp import StreamReader

from app.domain.logs.cri import CriParser
from app.launchers.base import LogPosition
from app.launchers.kubernetes import following
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.reconciler.logs.sources import read_position, write_position
from tests.launchers.kubernetes.seeing import LONGEST, lines_of, ran, read_to_end, runs, until
from tests.launchers.kubernetes.specs import PYTHON, run_of


async def test_it_can_be_read_from_any_stored_position_on(launcher: KubernetesLauncher) -> None:
    """Each time by a reader that knows only the position, while it runs and after."""
    run = run_of("for i in 1 1 2 2 3; do echo $i; sleep 0.3; done; echo err >&2; printf last")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    position, entries, eof = LogPosition(), b"", False
    async with asyncio.timeout(LONGEST):
        while not eof:
            if await launcher.logs_ahead({ref: position}):
                read = await launcher.read_log(ref, position, 1)
                entries, eof = entries + read.data, read.eof
                assert read.gap is None
                position = read_position(write_position(read.end))
                await launcher._logs.drop(ref)  # as a new process would begin
            await asyncio.sleep(0.01)
    block = CriParser(None).feed(entries)
    assert sorted(block.text.decode().splitlines()) == ["1", "1", "2", "2", "3", "err", "last"]


async def test_a_reading_that_was_not_stored_is_read_again(launcher: KubernetesLauncher) -> None:
    run = run_of("seq 1000")
    ref = run.jobs[0].ref
    await ran(launcher, run)
    first, _ = await read_to_end(launcher, ref)
    again, gaps = await read_to_end(launcher, ref)
    assert first == again
    assert not gaps
    assert first.count(b"\n") == 1000


async def test_lines_come_while_it_runs(launcher: KubernetesLauncher) -> None:
    run = run_of("echo first; sleep 100")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    async with asyncio.timeout(LONGEST):
        while not await launcher.logs_ahead({ref: LogPosition()}):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    read = await launcher.read_log(ref, LogPosition(), 1000)
    assert read.data.endswith(b" stdout F first\n")
    assert not read.eof
    assert read.end.time is not None


async def test_a_log_is_asked_for_once_and_its_end_once_as_soon_as_the_pod_is_over(
    launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream ends up to a second before the pod is told to be over: that it ended is no reason to follow
    it again at once. Nothing waits for a time to pass. Its end is asked for only where the pod is over before
    its stream."""
    asked, stream = [], Cluster.stream

    def counted(
        self: Cluster, path: str, params: Mapping[str, str], **more: Any
    ) -> AbstractAsyncContextManager[StreamReader]:
        if path.endswith("/log"):
            asked.append("follow" if "follow" in params else f"last {params.get('tailLines')}")
        return stream(self, path, params, **more)

    monkeypatch.setattr(Cluster, "stream", counted)
    monkeypatch.setattr(following, "LOOK", 3600.0)
    run = run_of("echo begun; sleep 2; echo done")
    await launcher.launch(run)
    assert await lines_of(launcher, run.jobs[0].ref) == ["begun", "done"]
    assert asked in (["follow"], ["follow", "last 1"])


async def test_a_progress_bar_without_newlines_loses_nothing(launcher: KubernetesLauncher) -> None:
    """The runtime passes 16 KiB on at once; the parser ends lines at each `\\r`."""
    run = run_of(
        "python3 -c \"import sys; [sys.stdout.write('step %d\\r' % i) for i in range(20000)]; print('end')\"",
        image=PYTHON,
    )
    await ran(launcher, run)
    entries, gaps = await read_to_end(launcher, run.jobs[0].ref)
    assert not gaps
    parser = CriParser(None)
    text = parser.feed(entries).text + parser.finish().text
    assert text.decode().splitlines() == [*(f"step {i}" for i in range(20000)), "end"]


async def test_the_wrappers_own_end_is_no_line_of_it(launcher: KubernetesLauncher) -> None:
    """Neither is it where a command ends without a newline; and neither `ps` nor `env` tells it."""
    run = run_of("ps -o args; env; cat /proc/*/cmdline | tr '\\0' '\\n'; printf err >&2; printf last; exit 3")
    ref = run.jobs[0].ref
    seen = await ran(launcher, run)
    entries, gaps = await read_to_end(launcher, ref)
    lines = [entry.split(" ", 3)[3] for entry in entries.decode().splitlines()]
    assert not gaps
    assert {"last", "err"} <= set(lines)
    assert any(ref.name in line for line in lines), "its arguments name the pod"
    assert not [line for line in lines if end_line(ref.name) in line]
    last = await launcher.last_lines(ref, 1000)  # the two streams come in no order
    assert {"last", "err"} <= set(last)
    assert not [line for line in last if end_line(ref.name) in line]
    assert end_line(ref.name) not in str(seen.details)


async def test_a_pod_that_is_killed_ends_without_it_and_lacks_nothing(launcher: KubernetesLauncher) -> None:
    run = run_of("trap '' TERM; echo up; while :; do sleep 1; done", grace=1.0)
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(launcher, ref, runs)
    reading = asyncio.create_task(read_to_end(launcher, ref))
    async with asyncio.timeout(LONGEST):
        while await launcher.last_lines(ref, 1) != ["up"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await launcher.stop(ref, 1)
    entries, gaps = await reading
    assert (await until(launcher, ref)).exit_code == 137
    assert entries.endswith(b" up\n")
    assert not gaps


async def test_a_stopped_pods_last_lines_are_there_though_its_kubelet_removes_the_container(
    launcher: KubernetesLauncher,
) -> None:
    run = run_of("trap 'seq 500; exit 0' TERM; echo up; sleep 100 & wait")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(launcher, ref, runs)
    reading = asyncio.create_task(lines_of(launcher, ref))
    await asyncio.sleep(1)
    await launcher.stop(ref, 10)
    assert await reading == ["up", *(str(i) for i in range(1, 501))]


async def test_what_was_lost_with_a_deleted_pod_is_a_gap(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str
) -> None:
    """Nobody read it in time: the log ends all the same, and says so."""
    run = run_of("echo never read; sleep 100")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    began = (await until(launcher, ref, runs)).started_at
    path = f"/api/v1/namespaces/{namespace}/pods/{ref.name}"
    await cluster.delete(path, grace=1)
    await until(launcher, ref)
    async with asyncio.timeout(LONGEST):
        while await launcher.last_lines(ref, 1) == ["never read"]:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    entries, gaps = await read_to_end(launcher, ref)
    assert entries == b""
    assert len(gaps) == 1
    assert gaps[0][0] == began


async def test_a_pod_that_never_began_has_an_empty_log_that_is_whole(launcher: KubernetesLauncher) -> None:
    run = run_of("true", image="UPPER:Case!")
    await ran(launcher, run)
    assert await read_to_end(launcher, run.jobs[0].ref) == (b"", [])


async def test_the_last_lines_of_a_failed_job(launcher: KubernetesLauncher) -> None:
    run = run_of("seq 100; exit 1")
    await ran(launcher, run)
    assert await launcher.last_lines(run.jobs[0].ref, 3) == ["98", "99", "100"]
    assert await launcher.last_lines(run_of("true").jobs[0].ref, 3) == []
