"""What a job prints is kept as it came, whole, with times, whatever it is."""

import asyncio
import os
import re
import resource
import threading
import time
from dataclasses import replace

from app.domain.lifecycle import Status
from app.domain.logs.cri import CriParser
from app.launchers.base import LogPosition
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from app.launchers.local.runner import records
from app.launchers.local.runner.processes import descendants
from tests.launchers.local.runs import ended, experiment, lines, log_bytes, observed, until

SOON = 5.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0  # seconds; others' tests have the cores, too
ENTRY = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] .*\Z", re.DOTALL)


async def test_each_entry_has_a_time_that_never_goes_back(launcher: LocalLauncher) -> None:
    run = experiment("for i in 1 2 3 4 5; do echo $i; sleep 0.02; done")
    await launcher.launch(run)
    await ended(launcher, run)
    entries = (await log_bytes(launcher, run.jobs[0].ref)).splitlines()
    assert all(ENTRY.match(entry) for entry in entries)
    times = [entry.split(b" ")[0] for entry in entries]
    assert times == sorted(times)
    assert len(set(times)) == 5


async def test_it_is_read_while_hundreds_of_processes_wait_to_start(launcher: LocalLauncher) -> None:
    run = experiment("echo it")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await ended(launcher, run)
    end = threading.Event()
    starting = [asyncio.create_task(launcher._do(end.wait)) for _ in range(32)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(30):
            assert await launcher.logs_ahead({ref: LogPosition()}) == [ref]
            assert (await launcher.read_log(ref, LogPosition(), 65536)).data.endswith(b" stdout F it\n")
    finally:
        end.set()
        await asyncio.gather(*starting)


async def test_text_without_a_newline_shows_while_the_command_runs(launcher: LocalLauncher) -> None:
    run = experiment(r"printf '10%%\r20%%\r'; sleep 60")
    await launcher.launch(run)
    await observed(launcher, run.jobs[0].ref, Status.RUNNING)
    parser, position, seen = CriParser(None), LogPosition(), b""
    began = time.monotonic()
    while b"20%" not in seen:
        read = await launcher.read_log(run.jobs[0].ref, position, 65536)
        position = read.end
        seen += parser.feed(read.data).text
        assert time.monotonic() - began < SOON
        await asyncio.sleep(0.01)
    assert seen == b"10%\n20%\n"


async def test_a_last_line_without_a_newline_is_kept(launcher: LocalLauncher) -> None:
    run = experiment("printf one; sleep 0.6; printf two; printf bad >&2")
    await launcher.launch(run)
    await ended(launcher, run)
    assert sorted(await lines(launcher, run.jobs[0].ref)) == ["bad", "onetwo"]


async def test_bytes_of_any_kind_and_length_pass(launcher: LocalLauncher) -> None:
    code = (
        "import sys; o = sys.stdout.buffer;"
        r"o.write(b'\xff\xfe\x00nul\n'); o.write(b'x' * (10 << 20) + b'\n'); o.write(b'\n\nafter\n')"
    )
    run = experiment(f'python3 -c "{code}"')
    await launcher.launch(run)
    await ended(launcher, run)
    data = await log_bytes(launcher, run.jobs[0].ref, limit=1000)
    texts = [entry.split(b" ", 3)[3] for entry in data.split(b"\n")[:-1]]
    assert texts[0] == b"\xff\xfe\x00nul"
    assert b"".join(texts[1:-3]) == b"x" * (10 << 20)
    assert texts[-3:] == [b"", b"", b"after"]


async def test_it_reads_in_pieces_from_any_position(launcher: LocalLauncher) -> None:
    run = experiment("seq 1 500")
    await launcher.launch(run)
    await ended(launcher, run)
    whole = await log_bytes(launcher, run.jobs[0].ref)
    assert await log_bytes(launcher, run.jobs[0].ref, limit=7) == whole
    assert await log_bytes(launcher, run.jobs[0].ref, limit=300) == whole


async def test_a_log_is_cut_into_segments_that_are_dropped_once_stored(options: LocalOptions) -> None:
    launcher = LocalLauncher(replace(options, segment_bytes=1_000_000))
    await launcher.start()
    run = experiment("seq 1 300000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await ended(launcher, run)
    folder = launcher._layout.job(ref)
    count = len(list(folder.glob("log.*")))
    assert count > 5
    assert await lines(launcher, ref) == [str(i) for i in range(1, 300_001)]
    position = LogPosition()
    while position.file < 3:
        position = (await launcher.read_log(ref, position, 65536)).end
    await launcher.trim_log(ref, position)
    assert len(list(folder.glob("log.*"))) == count - 3
    assert (await launcher.read_log(ref, LogPosition(), 65536)).start.file == 3
    await launcher.forget(ref)
    await launcher.close()


async def test_a_full_disk_loses_nothing_and_the_job_goes_on(launcher: LocalLauncher) -> None:
    run = experiment("while [ ! -e go ]; do sleep 0.01; done; seq 1 500000; echo done >&2")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await observed(launcher, ref, Status.RUNNING)
    runner = launcher._jobs.runner(ref)
    assert runner is not None
    _, most = resource.prlimit(runner, resource.RLIMIT_FSIZE)
    resource.prlimit(runner, resource.RLIMIT_FSIZE, (100_001, most))
    folder = launcher._layout.job(ref)
    (folder / "work/code/go").touch()

    async def told() -> bool:
        seen = (await launcher.observe([ref]))[ref]
        assert seen.status is Status.RUNNING
        return seen.message == "its log waits to be written: File too large"

    await until(told)
    assert (folder / "log.0").stat().st_size == 100_001  # in the middle of an entry
    assert not (folder / records.END).exists()
    resource.prlimit(runner, resource.RLIMIT_FSIZE, (most, most))
    seen = await ended(launcher, run)
    assert (seen.status, seen.message) == (Status.SUCCEEDED, None)
    numbers = [line for line in await lines(launcher, ref) if line != "done"]
    assert numbers == [str(i) for i in range(1, 500_001)]


async def test_a_disk_that_is_full_at_the_end_holds_the_end_back_and_loses_nothing(
    launcher: LocalLauncher,
) -> None:
    run = experiment("while [ ! -e go ]; do sleep 0.01; done; echo the last line; exit 5")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await observed(launcher, ref, Status.RUNNING)
    runner = launcher._jobs.runner(ref)
    assert runner is not None
    _, most = resource.prlimit(runner, resource.RLIMIT_FSIZE)
    resource.prlimit(runner, resource.RLIMIT_FSIZE, (0, most))
    (launcher._layout.job(ref) / "work/code/go").touch()

    async def waits() -> bool:
        return not descendants({runner})

    await until(waits)
    assert (await launcher.observe([ref]))[ref].status is Status.RUNNING
    resource.prlimit(runner, resource.RLIMIT_FSIZE, (most, most))
    seen = await ended(launcher, run)
    assert seen.exit_code == 5
    assert await lines(launcher, ref) == ["the last line"]


async def test_a_flood_is_not_slowed_by_its_runner(launcher: LocalLauncher) -> None:
    """200,000 lines of 100 bytes a second are asked for; a quarter of it passes on a busy machine too."""
    code = "import os; b = (b'x' * 99 + b'\\n') * 640\nfor _ in range(625): os.write(1, b)"
    run = experiment(f'python3 -c "{code}"')
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert 400_000 / (seen.finished_at - seen.started_at).total_seconds() > 50_000
    assert (await log_bytes(launcher, run.jobs[0].ref)).count(b"\n") == 400_000
