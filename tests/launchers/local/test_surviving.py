"""The service dies, the runner dies, the machine restarts: no job starts twice, none is lost or left."""

import asyncio
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from app.disk import delete_tree
from app.domain.lifecycle import Status
from app.domain.runs import JobRef
from app.launchers.base import LogPosition
from app.launchers.local import logs
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from app.launchers.local.runner import records
from tests.launchers.local.runs import alive, ended, experiment, job, lines, log_bytes, observed, until


@pytest.fixture
async def next_launcher(options: LocalOptions) -> AsyncIterator[LocalLauncher]:
    """Not started: the service's next life, on the same data folder."""
    launcher = LocalLauncher(options)
    yield launcher
    await launcher.close()


def _kill_runner(launcher: LocalLauncher, ref: JobRef) -> None:
    runner = launcher._jobs.runner(ref)
    assert runner is not None
    os.kill(runner, signal.SIGKILL)


async def test_a_job_goes_on_without_the_service_and_is_taken_up_again(
    launcher: LocalLauncher, next_launcher: LocalLauncher
) -> None:
    run = experiment("for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; exit 6")
    long = experiment("sleep 100")
    for each in (run, long):
        await launcher.launch(each)
    await launcher.close()
    await next_launcher.start()
    assert set(await next_launcher.known()) == {run.jobs[0].ref, long.jobs[0].ref}
    assert (await ended(next_launcher, run)).exit_code == 6
    assert await lines(next_launcher, run.jobs[0].ref) == ["1", "2", "3", "4", "5", "6"]
    assert (await next_launcher.observe([long.jobs[0].ref]))[long.jobs[0].ref].status is Status.RUNNING
    changes = next_launcher.changes()
    await next_launcher.stop(long.jobs[0].ref, 5)
    async for ref in changes:
        if ref == long.jobs[0].ref and (await next_launcher.observe([ref]))[ref].status is Status.STOPPED:
            break


@pytest.mark.parametrize(
    "daemon", ["setsid sleep 1000 &", "(setsid sh -c 'sleep 1000 & sleep 1000' &);", "(env -i sleep LONG &);"]
)
async def test_a_killed_runner_is_a_failure_of_the_infrastructure_that_leaves_no_process(
    launcher: LocalLauncher, daemon: str
) -> None:
    long = f"4321.{os.getpid()}"
    run = experiment(f"{daemon.replace('LONG', long)} echo begun; sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(lambda: _has(launcher, ref, b"begun"))
    _kill_runner(launcher, ref)
    seen = await ended(launcher, run)
    assert (seen.status, seen.infrastructure, seen.retryable) == (Status.FAILED, True, True)
    assert seen.message == "infrastructure: its runner was killed"
    assert alive(ref.name) == []
    assert alive(long) == []
    assert await lines(launcher, ref) == ["begun"]


async def _nobody(mark: str) -> bool:
    return not alive(mark)


async def _has(launcher: LocalLauncher, ref: JobRef, text: bytes) -> bool:
    log = launcher._layout.job(ref) / "log.0"
    return log.exists() and text in log.read_bytes()


async def test_also_when_the_service_was_away(launcher: LocalLauncher, next_launcher: LocalLauncher) -> None:
    run = experiment("echo begun; setsid sleep 1000 & sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(lambda: _has(launcher, ref, b"begun"))
    await launcher.close()
    _kill_runner(launcher, ref)
    await next_launcher.start()
    await until(lambda: _nobody(ref.name))  # nothing is asked of the launcher
    assert (await next_launcher.observe([ref]))[ref].infrastructure


@pytest.mark.skipif(os.geteuid() != 0, reason="only a user of its own shows such a process")
async def test_a_process_that_hid_its_variables_is_found_by_its_user(launcher: LocalLauncher) -> None:
    if launcher._users is None:
        pytest.skip("the jobs have no users of their own")
    run = experiment("env -i setsid sleep 1234.5 & echo begun; sleep 1000", job(), job(index=1))
    first, second = (one.ref for one in run.jobs)
    await launcher.launch(run)
    await until(lambda: _has(launcher, first, b"begun"))
    await until(lambda: _has(launcher, second, b"begun"))
    assert len(alive("1234.5")) >= 2
    _kill_runner(launcher, first)
    await ended(launcher, run)
    assert len(alive("sleep\x001234.5")) == 1, "that of the living runner stays, the other one goes"
    assert (await launcher.observe([second]))[second].status is Status.RUNNING


@pytest.mark.parametrize("left", ["all", "names", "nothing"])
async def test_after_a_restart_of_the_machine_what_ran_has_failed(
    launcher: LocalLauncher, next_launcher: LocalLauncher, left: str
) -> None:
    """Whatever a power cut leaves of files that were not synced: all, names without content, nothing."""
    run = experiment("echo whole; printf torn; sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(lambda: _has(launcher, ref, b"whole"))
    await launcher.close()
    _kill_runner(launcher, ref)
    folder = launcher._layout.job(ref)
    _boot_before(launcher._layout.runs, f"{run.uuid}-1")
    _boot_before(folder, records.RUNNER)
    with (folder / "log.0").open("ab") as log:
        log.write(b"2026-11-24T03:50:22.123456789Z stdout F lin")
    if left == "names":
        for name in (records.RUNNER, records.STARTED, "definition"):
            (folder / name).write_bytes(b"")
    elif left == "nothing":
        delete_tree(folder)
    await next_launcher.start()
    seen = (await next_launcher.observe([ref]))[ref]
    assert (seen.message, seen.infrastructure) == ("infrastructure: the machine restarted", True)
    assert (seen.started_at is not None) == (left == "all")
    log_read = await next_launcher.read_log(ref, LogPosition(), 10_000)
    assert not log_read.data.endswith(b" F lin\n"), "the job never printed such a line"
    assert left == "nothing" or b" F whole\n" in log_read.data
    assert (await next_launcher.read_log(ref, log_read.end, 10_000)).eof


def _boot_before(folder: Path, name: str) -> None:
    """Let a record be of the machine's boot before this one."""
    record = records.read_record(str(folder), name)
    assert record is not None
    records.write_record(str(folder), name, {**record, "boot": "another"})


async def test_a_container_s_restart_is_told_from_a_killed_runner(launcher: LocalLauncher) -> None:
    run = experiment("sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await observed(launcher, ref, Status.RUNNING)
    folder = str(launcher._layout.job(ref))
    claim = records.read_record(folder, records.RUNNER) or {}
    _kill_runner(launcher, ref)
    records.write_record(folder, records.RUNNER, {**claim, "init": -1})
    assert (await ended(launcher, run)).message == "infrastructure: its container restarted"


@pytest.mark.parametrize(
    ("torn", "left"),
    [
        (b"2026-11-24T03:50:22.1", b""),
        (b"2026-11-24T03:50:22.123456789Z stdout F", b""),
        (b"2026-11-24T03:50:22.123456789Z stdout F ha", b"2026-11-24T03:50:22.123456789Z stdout F ha\n"),
    ],
)
def test_what_a_killed_runner_tore_is_mended(tmp_path: Path, torn: bytes, left: bytes) -> None:
    whole = b"2026-11-24T03:50:22.123456789Z stdout F line\n" * 3000
    for before in (b"", whole):
        (tmp_path / "log.0").write_bytes(whole)
        (tmp_path / "log.1").write_bytes(before + torn)
        logs.mend(tmp_path)
        logs.mend(tmp_path)
        assert (tmp_path / "log.1").read_bytes() == before + left
        assert (tmp_path / "log.0").read_bytes() == whole


@pytest.mark.parametrize("seed", range(6))
async def test_killed_at_any_moment_a_runner_leaves_a_whole_log_and_no_process(
    launcher: LocalLauncher, seed: int
) -> None:
    rng = random.Random(seed)
    loop = "i=0; while true; do i=$((i+1)); echo line $i; done"
    run = experiment(f"(setsid sh -c '{loop}' &); {loop}" if seed % 2 else loop)
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await asyncio.sleep(rng.uniform(0, 0.3))
    _kill_runner(launcher, ref)
    seen = await ended(launcher, run)
    assert seen.infrastructure
    assert alive(ref.name) == []
    texts = [entry.split(b" ", 3)[3] for entry in (await log_bytes(launcher, ref)).splitlines()]
    if seed % 2 == 0:
        whole = [f"line {i}".encode() for i in range(1, len(texts) + 1)]
        assert texts[:-1] == whole[:-1]
        assert not texts or whole[-1].startswith(texts[-1])


LIFE = """
import asyncio, json, sys
from pathlib import Path
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from app.domain.runs import *
from app.domain.lifecycle import Role
given = json.loads(sys.argv[1])
async def main():
    uids = given["uids"] and tuple(given["uids"])
    launcher = LocalLauncher(LocalOptions(data=Path(given["data"]), gpus=0, cpus=4, uids=uids))
    await launcher.start()
    jobs = tuple(JobSpec(JobRef(u, 1), Role.MASTER, i) for i, u in enumerate(given["jobs"]))
    name = given["run"]
    run = RunSpec(name, RunKind.EXPERIMENT, 1, jobs, given["command"], principal=name, outputs=name)
    print("ready", flush=True)
    await launcher.launch(run)
    print("launched", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(4))
async def test_killed_around_a_launch_the_service_starts_each_job_once(
    options: LocalOptions, data: Path, seed: int
) -> None:
    rng = random.Random(seed)
    counter = data / "count"
    counter.touch()
    counter.chmod(0o666)
    run = experiment(f"echo $POLYAXON_TASK_INFO >> {counter}; sleep 1000", *(job(index=i) for i in range(3)))
    given = {
        "data": str(data),
        "uids": options.uids,
        "run": run.uuid,
        "jobs": [one.ref.uuid for one in run.jobs],
        "command": run.command,
    }
    await asyncio.to_thread(_live_and_die, given, rng.uniform(0, 0.15))
    after = LocalLauncher(options)
    await after.start()
    await after.launch(run)
    for one in run.jobs:
        await observed(after, one.ref, Status.RUNNING)
    await until(lambda: _counted(counter, 3))
    for one in run.jobs:
        await after.forget(one.ref)
    assert len(re.findall("master", counter.read_text())) == 3
    assert await after.known() == []
    await after.close()


def _live_and_die(given: Mapping[str, object], seconds: float) -> None:
    """A service that begins to launch, and is killed so much later."""
    life = [sys.executable, "-c", LIFE, json.dumps(given)]
    with subprocess.Popen(life, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        select.select([process.stdout], [], [], seconds)
        process.kill()


async def _counted(path: Path, count: int) -> bool:
    return len(path.read_text().splitlines()) == count
