"""Stop: SIGTERM to the whole group, the grace, SIGKILL; whoever asks, and whether the service is there."""

import asyncio
import os
import signal
import time

from app.domain.lifecycle import Status
from app.domain.runs import JobRef
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.runner import records
from app.launchers.local.runner.processes import Process, descendants
from app.launchers.local.runner.processes import alive as lives
from tests.launchers.local.runs import alive, ended, experiment, job, lines, observed, until

HANDLER = """
import os, signal, sys, time
def say(text):
    os.write(1, (text + chr(10)).encode())  # at once: others write there too
def bye(*_):
    say('{name} got SIGTERM')
    time.sleep({after})
    say('{name} saved')
    sys.exit(7)
signal.signal(signal.SIGTERM, bye)
say('ready')
while True: time.sleep(1)
"""


def handler(name: str, after: float = 0.0) -> str:
    """A shell word for a program that says that it got SIGTERM."""
    return 'python3 -c "' + HANDLER.format(name=name, after=after) + '"'


async def _printed(launcher: LocalLauncher, ref: JobRef, text: str, times: int = 1) -> None:
    log = launcher._layout.job(ref) / "log.0"

    async def there() -> bool:
        return log.exists() and log.read_bytes().count(text.encode()) >= times

    await until(there)


async def test_the_process_sees_sigterm_once_and_the_job_is_stopped(launcher: LocalLauncher) -> None:
    run = experiment(f"exec {handler('it')}")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    await launcher.stop(ref, 10)
    await launcher.stop(ref, 10)
    seen = await ended(launcher, run)
    assert (seen.status, seen.exit_code, seen.message) == (Status.STOPPED, 7, "stopped")
    assert await lines(launcher, ref) == ["ready", "it got SIGTERM", "it saved"]


async def test_every_process_of_the_group_sees_it_and_may_finish(launcher: LocalLauncher) -> None:
    """The shell dies at once; what it started, daemons too, has the grace."""
    run = experiment(f"setsid {handler('daemon', 0.3)} & {handler('child', 0.3)}; true")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready", 2)
    await launcher.stop(ref, 10)
    assert (await ended(launcher, run)).status is Status.STOPPED
    seen = await lines(launcher, ref)
    assert {"daemon got SIGTERM", "child got SIGTERM", "daemon saved", "child saved"} <= set(seen)
    assert alive(ref.name) == []


async def test_after_the_grace_what_lives_is_killed(launcher: LocalLauncher) -> None:
    run = experiment("trap '' TERM; (trap '' TERM; sleep 100) & echo ready; sleep 100; sleep 100; sleep 100")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    began = time.monotonic()
    await launcher.stop(ref, 0.4)
    seen = await ended(launcher, run)
    assert 0.3 < time.monotonic() - began < 5
    assert (seen.status, seen.exit_code) == (Status.STOPPED, 137)
    assert alive(ref.name) == []


async def test_a_halted_process_can_answer(launcher: LocalLauncher) -> None:
    run = experiment("echo ready; kill -STOP $$; echo never")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    await launcher.stop(ref, 20)
    seen = await ended(launcher, run)
    assert (seen.status, seen.exit_code) == (Status.STOPPED, 143)


async def test_a_runner_that_is_frozen_goes_on_to_stop_its_job(launcher: LocalLauncher) -> None:
    """Where jobs are who runs the service, they may do that."""
    run = experiment("echo ready; exec sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    pid = launcher._jobs.runner(ref)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await launcher.stop(ref, 10)
    assert (await ended(launcher, run)).status is Status.STOPPED


async def test_a_shorter_grace_counts_when_asked_again(launcher: LocalLauncher) -> None:
    run = experiment("trap '' TERM; echo ready; while true; do sleep 0.1; done")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    await launcher.stop(ref, 600)
    await launcher.stop(ref, 0)
    assert (await ended(launcher, run)).status is Status.STOPPED


async def test_a_job_that_has_ended_stays_as_it_ended(launcher: LocalLauncher) -> None:
    run = experiment("exit 0")
    await launcher.launch(run)
    first = await ended(launcher, run)
    await launcher.stop(run.jobs[0].ref, 0)
    assert await ended(launcher, run) == first
    assert first.status is Status.SUCCEEDED


async def test_what_was_stopped_before_its_start_never_starts(launcher: LocalLauncher) -> None:
    """The service died between the plan and the first process; then the stop came."""
    run = experiment("echo started")
    ref = run.jobs[0].ref
    await launcher._do(launcher._prepare, run)
    assert await launcher.observe([ref]) == {}
    await launcher.stop(ref, 10)
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert (seen.status, seen.exit_code, seen.started_at) == (Status.STOPPED, None, None)
    assert await lines(launcher, ref) == []


async def test_a_request_that_nobody_announced_is_found_all_the_same(launcher: LocalLauncher) -> None:
    """The service was killed between writing it and waking the runner."""
    run = experiment("sleep 100")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await observed(launcher, ref, Status.RUNNING)
    records.write_record(str(launcher._layout.job(ref)), records.STOP, {"grace": 0, "reason": "stopped"})
    assert (await ended(launcher, run)).status is Status.STOPPED


async def test_stopping_all_counts_as_a_failure_of_the_infrastructure(launcher: LocalLauncher) -> None:
    run = experiment("sleep 100", job(), job(index=1))
    await launcher.launch(run)
    await asyncio.gather(*(observed(launcher, one.ref, Status.RUNNING) for one in run.jobs))
    await launcher.stop_all(grace=5)
    for one in run.jobs:
        seen = (await launcher.observe([one.ref]))[one.ref]
        assert (seen.status, seen.infrastructure, seen.exit_code) == (Status.FAILED, True, 143)
        assert seen.message == "infrastructure: the service was stopped, and its jobs with it"


async def test_a_runner_that_is_told_to_end_ends_its_job(launcher: LocalLauncher) -> None:
    """As when the machine shuts down."""
    run = experiment(f"exec {handler('it')}")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    runner = launcher._jobs.runner(ref)
    assert runner is not None
    os.kill(runner, signal.SIGTERM)
    seen = await ended(launcher, run)
    assert (seen.status, seen.infrastructure) == (Status.FAILED, True)
    assert "it saved" in await lines(launcher, ref)


async def test_a_command_that_the_machine_s_shutdown_ends_before_its_runner_has_not_failed_by_itself(
    launcher: LocalLauncher,
) -> None:
    run = experiment("echo ready; exec sleep 100")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await _printed(launcher, ref, "ready")
    runner = launcher._jobs.runner(ref)
    assert runner is not None
    (command,) = descendants({runner})
    os.kill(command.pid, signal.SIGTERM)
    await until(lambda: _gone(command))
    os.kill(runner, signal.SIGTERM)
    seen = await ended(launcher, run)
    assert (seen.status, seen.infrastructure, seen.exit_code) == (Status.FAILED, True, 143)


async def _gone(process: Process) -> bool:
    return not lives(process.pid, process.start)


async def test_leftovers_of_a_command_that_ended_are_killed(launcher: LocalLauncher) -> None:
    run = experiment("(setsid sh -c 'trap \"\" TERM; sleep 100' >/dev/null 2>&1 &) ; sleep 100 & exit 4")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert (seen.status, seen.exit_code) == (Status.FAILED, 4)
    assert alive(ref.name) == []
