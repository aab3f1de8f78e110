"""Timeout and memory are held by the runner, whether the service is there or not."""

import os
import shutil
import sys
import time
from dataclasses import replace

import pytest

from app.domain.lifecycle import Status
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from app.launchers.local.runner.identity import Identity
from app.launchers.local.runner.memory import MemoryLimit
from tests.launchers.local.runs import alive, ended, experiment, job, lines, observed

MIB = 1024 * 1024


def eater(mib: int) -> str:
    """A program that touches so much memory and stays."""
    return f"python3 -c \"import time; b = bytearray(b'x') * ({mib} << 20); time.sleep(100)\""


async def test_a_timeout_ends_the_job_and_is_not_tried_again(launcher: LocalLauncher) -> None:
    run = experiment("trap 'echo bye; exit 9' TERM; while true; do sleep 0.05; done", timeout=2.0, grace=10.0)
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert (seen.status, seen.exit_code, seen.retryable) == (Status.FAILED, 9, False)
    assert seen.message == "ran longer than its timeout of 2 s"
    assert "bye" in await lines(launcher, run.jobs[0].ref)


async def test_after_a_timeout_the_grace_ends_too(launcher: LocalLauncher) -> None:
    run = experiment("trap '' TERM; while true; do sleep 0.05; done", timeout=2.0, grace=0.2)
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert (seen.message, seen.exit_code) == ("ran longer than its timeout of 2 s", 137)


async def test_over_its_memory_limit_a_job_is_killed(launcher: LocalLauncher) -> None:
    run = experiment(eater(150), job(memory=100 * MIB))
    ref = run.jobs[0].ref
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert (seen.status, seen.exit_code, seen.infrastructure) == (Status.FAILED, 137, False)
    assert seen.message is not None
    assert seen.message.startswith("out of memory (OOM): used 1")
    assert seen.message.endswith(" of 100 MiB")
    assert alive(ref.name) == []


async def test_the_memory_of_all_processes_of_the_job_counts(launcher: LocalLauncher) -> None:
    run = experiment(f"{eater(60)} & setsid {eater(60)} & wait", job(memory=100 * MIB))
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert (seen.exit_code, seen.details is not None) == (137, True)


async def test_shared_memory_counts_once(launcher: LocalLauncher) -> None:
    code = "import os, time; b = bytearray(b'x') * (60 << 20); os.fork(); os.fork(); time.sleep(1.6)"
    run = experiment(f'python3 -c "{code}"', job(memory=120 * MIB))
    await launcher.launch(run)
    assert (await ended(launcher, run)).status is Status.SUCCEEDED


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="drops a right of root's")
async def test_where_root_may_not_read_it_a_reader_with_the_job_s_user_does(options: LocalOptions) -> None:
    drop = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")
    launcher = LocalLauncher(replace(options, runner=(*drop, sys.executable, "-I", "-S")))
    await launcher.start()
    run = experiment(eater(150), job(memory=100 * MIB))
    await launcher.launch(run)
    assert (await ended(launcher, run)).exit_code == 137
    await launcher.forget(run.jobs[0].ref)
    await launcher.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes away rights of root's")
def test_where_nobody_may_read_it_the_limit_says_that_it_is_not_held() -> None:
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        limit = MemoryLimit(1, None)
        os._exit(0 if limit.excess([os.getppid()]) is None and limit.unreadable else 1)
    assert os.waitpid(child, 0)[1] == 0
    limit = MemoryLimit(1, Identity(65534))
    child = os.fork()
    if child == 0:
        time.sleep(100)
    try:
        assert limit._ask_reader([child]) is None
        assert limit._ask_reader([]) == 0
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


async def test_use_of_cores_and_memory_is_measured(launcher: LocalLauncher) -> None:
    code = "b = bytearray(b'x') * (50 << 20)\nwhile True: pass"
    run = experiment(f'python3 -c "{code}"', job(memory=200 * MIB))
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await observed(launcher, ref, Status.RUNNING)
    end = time.monotonic() + 10
    while True:
        usage = await launcher.usage([ref])
        assert len(usage) == 1
        if usage[0].cpu_percentage > 5 and usage[0].memory_used > 50 * MIB:
            break
        assert time.monotonic() < end
    assert usage[0].memory_limit == 200 * MIB
    assert usage[0].n_cpus == os.cpu_count() == len(usage[0].percpu_percentage)
    assert sum(usage[0].percpu_percentage) == pytest.approx(usage[0].cpu_percentage, abs=1)
    assert usage[0].gpu_resources == ()
