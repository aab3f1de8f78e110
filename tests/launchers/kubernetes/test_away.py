"""The API server goes away, falls silent, forgets, loses answers: nothing is missed, doubled or made up."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.lifecycle import Status
from app.launchers.base import LauncherAway
from app.launchers.kubernetes import following, proof, watch
from app.launchers.kubernetes.client import Cluster, connect
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.launchers.kubernetes.line import Line, line_to
from tests.launchers.kubernetes.seeing import LONGEST, lines_of, ran, read_to_end, runs, until
from tests.launchers.kubernetes.specs import run_of

SILENCE = 4.0  # seconds that a watch may say nothing
TOLD = "until [ -e $POLYAXON_RUN_OUTPUTS_PATH/go ]; do sleep 0.1; done"


@pytest.fixture
async def line(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Line]:
    async with line_to(Path(os.environ["KUBECONFIG"]), tmp_path) as (line, path):
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield line


@pytest.fixture
async def launcher(
    line: Line, cluster: Cluster, options: KubernetesOptions, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubernetesLauncher]:
    """One that goes over the line."""
    monkeypatch.setattr(following, "SILENCE", (SILENCE, SILENCE))
    over_it = await connect()
    proof.remember(over_it, options)
    await over_it.close()
    launcher = KubernetesLauncher(options, silence=SILENCE)
    await launcher.start()
    yield launcher
    await launcher.close()


async def until_(true: Any) -> None:
    async with asyncio.timeout(LONGEST):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def pods(cluster: Cluster, namespace: str) -> list[str]:
    items, _ = await cluster.list(f"/api/v1/namespaces/{namespace}/pods")
    return [item["metadata"]["name"] for item in items]


async def test_a_log_stream_that_is_cut_again_and_again_loses_and_doubles_nothing(
    launcher: KubernetesLauncher, line: Line
) -> None:
    run = run_of("for i in $(seq 400); do echo $i; [ $((i % 50)) = 0 ] && sleep 0.5; done; true")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    reading = asyncio.create_task(lines_of(launcher, ref))
    while not reading.done():
        line.cut()
        await asyncio.sleep(0.7)
    assert await reading == [str(i) for i in range(1, 401)]


async def test_while_it_is_away_no_status_changes_and_all_is_caught_up_after(
    launcher: KubernetesLauncher,
    line: Line,
    cluster: Cluster,
    namespace: str,
    options: KubernetesOptions,
) -> None:
    """A launch waits for it; a start doesn't, and says why."""
    ends, new = run_of(f"echo it; {TOLD}; exit 3"), run_of("echo new")
    await launcher.launch(ends)
    ref = ends.jobs[0].ref
    await until(launcher, ref, runs)
    line.refuses = True
    line.cut()
    launching = asyncio.create_task(launcher.launch(new))
    await until_(launcher.trouble)
    assert "can't be reached" in str(launcher.trouble())
    with pytest.raises(LauncherAway):
        await launcher.stop(ref, 1)
    (Path(str(options.outputs.path)) / str(ends.outputs) / "go").touch()
    await asyncio.sleep(4)
    seen = (await launcher.observe([ref]))[ref]
    assert seen.status is Status.RUNNING, "nobody told that it ended"
    assert not launching.done()
    assert await pods(cluster, namespace) == [ref.name]
    assert launcher.age() > 3
    line.refuses = False
    seen = await until(launcher, ref)
    assert (seen.status, seen.exit_code) == (Status.FAILED, 3)
    assert await lines_of(launcher, ref) == ["it"]
    await launching
    assert (await until(launcher, new.jobs[0].ref)).status is Status.SUCCEEDED
    await until_(lambda: launcher.trouble() is None)


async def test_the_log_of_what_ended_before_it_went_away_waits_for_it(
    launcher: KubernetesLauncher, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it was asked for in vain."""
    monkeypatch.setattr(following, "LAST_TRIES", 2)
    monkeypatch.setattr(following, "PAUSE", (0.05, 0.1))
    run = run_of("echo it")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    assert (await until(launcher, ref)).status is Status.SUCCEEDED
    line.refuses = True
    line.cut()
    reading = asyncio.create_task(lines_of(launcher, ref))
    await until_(lambda: line.refused > 20)
    line.refuses = False
    assert await reading == ["it"]


async def test_a_start_without_it_is_refused_for_now(
    line: Line, options: KubernetesOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.launchers.kubernetes.launcher._FIRST_LIST", 1.0)
    line.refuses = True
    with pytest.raises(LauncherAway, match="the cluster tells of no pods: the API server can't be reached"):
        await KubernetesLauncher(options).start()


async def test_a_silent_watch_and_a_silent_log_are_noticed(
    launcher: KubernetesLauncher, line: Line, options: KubernetesOptions
) -> None:
    run = run_of(f"echo one; sleep 3; echo two; {TOLD}")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(launcher, ref, runs)
    reading = asyncio.create_task(read_to_end(launcher, ref))
    await asyncio.sleep(1)
    line.silent = True
    await until_(launcher.trouble)
    line.silent = False
    await until_(lambda: launcher.trouble() is None)
    (Path(str(options.outputs.path)) / str(run.outputs) / "go").touch()
    assert (await until(launcher, ref)).status is Status.SUCCEEDED
    entries, gaps = await reading
    assert [entry.rsplit(b" ", 1)[1] for entry in entries.splitlines()] == [b"one", b"two"]
    assert not gaps


@pytest.mark.parametrize("silent", [False, True], ids=["cut", "lost"])
async def test_a_create_whose_answer_is_lost_makes_one_pod(
    launcher: KubernetesLauncher, line: Line, cluster: Cluster, namespace: str, silent: bool
) -> None:
    """Its token and its owner too; also when the next ones are lost again."""
    run = run_of("echo once", token="s3cr3t")
    line.loses_answers = True
    launching = asyncio.create_task(launcher.launch(run))
    await asyncio.sleep(2 if silent else 0.5)
    line.loses_answers = False
    await launching
    assert (await until(launcher, run.jobs[0].ref)).status is Status.SUCCEEDED
    assert await pods(cluster, namespace) == [run.jobs[0].ref.name]


async def test_after_a_version_that_is_gone_it_lists_again(
    launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    """410: the watch is asked for from the first version of all, which etcd has long compacted."""
    listing, lists = watch.Reflector._list, []

    async def old(reflector: watch.Reflector) -> str:
        version = await listing(reflector)
        lists.append(version)
        return "1" if len(lists) <= 3 else version

    monkeypatch.setattr(watch.Reflector, "_list", old)
    line.cut()
    run = run_of("exit 3")
    assert (await ran(launcher, run)).exit_code == 3
    assert len(lists) >= 4
