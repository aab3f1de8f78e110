"""Launch, watch, read the log, forget: what every job does."""

import asyncio
from pathlib import Path

import pytest

from app.domain.lifecycle import Status
from app.domain.runs import JobRef
from app.launchers.base import LaunchRefused, LogPosition
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from tests.launchers.local.runs import (
    alive,
    archive,
    ended,
    experiment,
    job,
    lines,
    new_uuid,
    observed,
    until,
)


async def test_a_command_runs_in_a_shell_and_its_exit_code_decides(launcher: LocalLauncher) -> None:
    good = experiment("echo out; echo err >&2")
    bad = experiment("echo before; exit 3")
    for run in (good, bad):
        await launcher.launch(run)
    seen = await ended(launcher, good)
    assert (seen.status, seen.exit_code, seen.message) == (Status.SUCCEEDED, 0, None)
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert seen.started_at <= seen.finished_at
    assert sorted(await lines(launcher, good.jobs[0].ref)) == ["err", "out"]
    seen = await ended(launcher, bad)
    assert (seen.status, seen.exit_code, seen.message) == (Status.FAILED, 3, "failed with exit code 3")
    assert not seen.infrastructure
    assert await lines(launcher, bad.jobs[0].ref) == ["before"]


async def test_a_signal_counts_128_and_its_number(launcher: LocalLauncher) -> None:
    killed, no_signal = experiment("kill -SEGV $$"), experiment("exit 255")
    for run in (killed, no_signal):
        await launcher.launch(run)
    seen = await ended(launcher, killed)
    assert (seen.status, seen.exit_code) == (Status.FAILED, 139)
    assert seen.message == "ended by SIGSEGV (exit code 139)"
    assert (await ended(launcher, no_signal)).message == "failed with exit code 255"


async def test_it_is_starting_then_running_then_done_and_changes_tell(launcher: LocalLauncher) -> None:
    run = experiment("while [ ! -e go ]; do sleep 0.01; done")
    told: list[JobRef] = []

    async def listen() -> None:
        async for ref in launcher.changes():
            told.append(ref)  # noqa: PERF401

    listener = asyncio.create_task(listen())
    await launcher.launch(run)
    ref = run.jobs[0].ref
    assert (await launcher.observe([ref]))[ref].status in {Status.STARTING, Status.RUNNING}
    await observed(launcher, ref, Status.RUNNING)
    await until(lambda: _is(told == [ref]))
    (launcher._layout.job(ref) / "work/code/go").touch()
    await until(lambda: _is(told == [ref, ref]))
    assert (await launcher.observe([ref]))[ref].status is Status.SUCCEEDED
    listener.cancel()


async def _is(fact: bool) -> bool:
    return fact


async def test_what_was_never_launched_is_not_seen(launcher: LocalLauncher) -> None:
    ref = JobRef(new_uuid(), 1)
    assert await launcher.observe([ref]) == {}
    assert await launcher.address(ref) is None
    assert await launcher.usage([ref]) == []
    assert (await launcher.read_log(ref, LogPosition(), 100)).data == b""


async def test_launching_again_starts_nothing_again(launcher: LocalLauncher, data: Path) -> None:
    counter = data / "count"
    counter.touch()
    counter.chmod(0o666)
    run = experiment(f"echo x >> {counter}; sleep 60")
    first = await launcher.launch(run)
    await asyncio.gather(*(launcher.launch(run) for _ in range(4)))
    await observed(launcher, run.jobs[0].ref, Status.RUNNING)
    await until(lambda: _is(counter.read_text() == "x\n"))
    await launcher.stop(run.jobs[0].ref, 0)
    await ended(launcher, run)
    assert await launcher.launch(run) == first
    assert counter.read_text() == "x\n"


async def test_all_jobs_of_a_run_start_and_are_known(launcher: LocalLauncher) -> None:
    run = experiment("echo $POLYAXON_TASK_INFO", *(job(index=i) for i in range(3)))
    definitions = await launcher.launch(run)
    assert set(definitions) == {one.ref for one in run.jobs} == set(await launcher.known())
    for one in run.jobs:
        await observed(launcher, one.ref, Status.SUCCEEDED)
        assert await lines(launcher, one.ref) == [f'{{"type": "master", "index": {one.index}}}']


async def test_the_code_is_unpacked_into_the_working_folder(launcher: LocalLauncher, data: Path) -> None:
    code = archive(data / "code.tgz", {"train.py": "print('trained')", "lib/data.txt": "x"})
    code.chmod(0o600)
    run = experiment("python3 train.py; cat lib/data.txt; touch made-here", code=str(code))
    await launcher.launch(run)
    assert (await ended(launcher, run)).status is Status.SUCCEEDED
    assert await lines(launcher, run.jobs[0].ref) == ["trained", "x"]


async def test_without_code_the_working_folder_is_empty(launcher: LocalLauncher) -> None:
    run = experiment("ls -A | wc -l")
    await launcher.launch(run)
    await ended(launcher, run)
    assert [line.strip() for line in await lines(launcher, run.jobs[0].ref)] == ["0"]


async def test_a_damaged_archive_fails_the_job_and_says_so(launcher: LocalLauncher, data: Path) -> None:
    (data / "code.tgz").write_bytes(b"no archive")
    run = experiment("echo never", code=str(data / "code.tgz"))
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert seen.status is Status.FAILED
    assert (seen.message or "").startswith("its code could not be unpacked: Not a gzipped file")
    assert seen.started_at is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"code": "/no/such/archive"}, "archive of its code"),
        ({"secret_refs": ("s3",)}, "no secret 's3'"),
        ({"configmap_refs": ("cfg",)}, "no configmap 'cfg'"),
        ({"data_volumes": ("mnist",)}, "no data volume 'mnist'"),
        ({"data_volumes": ("away",)}, "data volume 'away' is not there"),
        ({"outputs_volume": "nfs"}, "no outputs volume 'nfs'"),
        ({"environment": "gone"}, "environment that was built"),
        ({"env_vars": (("LONG", "x" * 140_000),)}, "variable LONG is too long"),
        ({"command": "x" * 140_000}, "command is too long"),
    ],
)
async def test_what_can_not_start_is_refused_with_a_reason_and_leaves_nothing(
    launcher: LocalLauncher, data: Path, fields: dict[str, object], said: str
) -> None:
    run = experiment("true", **fields) if "command" not in fields else experiment(str(fields["command"]))
    with pytest.raises(LaunchRefused, match=said):
        await launcher.launch(run)
    assert await launcher.known() == []
    assert [*(data / "jobs").iterdir(), *(data / "runs").iterdir()] == []


async def test_outputs_that_are_no_folder_any_more_are_told_and_not_waited_for(
    launcher: LocalLauncher, data: Path
) -> None:
    """Where a job is who runs the service, it can put a file in their place; a resume finds that."""
    run = experiment("true", outputs="0" * 32)
    (data / "outputs" / ("0" * 32)).write_text("")
    with pytest.raises(LaunchRefused, match="its outputs are no folder any more"):
        await launcher.launch(run)
    assert await launcher.known() == []


async def test_forgetting_removes_every_trace_also_of_a_living_job(
    launcher: LocalLauncher, data: Path
) -> None:
    run = experiment("mkdir -p closed/in; chmod 0 closed; touch $TMPDIR/x; setsid sleep 1000 & sleep 1000")
    await launcher.launch(run)
    ref = run.jobs[0].ref
    await observed(launcher, ref, Status.RUNNING)
    await launcher.forget(ref)
    await launcher.forget(ref)
    assert await launcher.known() == []
    assert await launcher.observe([ref]) == {}
    assert alive(ref.name) == []
    for folder in ("jobs", "runs", "tmp", "trash"):
        assert list((data / folder).iterdir()) == []


async def test_nothing_of_the_service_s_environment_reaches_a_job(
    launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUNSEN_SECRET_OF_THE_SERVICE", "hush")
    run = experiment("env", env_vars=(("MINE", "1"), ("HOME", "/")))
    await launcher.launch(run)
    await ended(launcher, run)
    seen = dict(line.split("=", 1) for line in await lines(launcher, run.jobs[0].ref))
    assert "BUNSEN_SECRET_OF_THE_SERVICE" not in seen
    assert not [key for key in seen if key.startswith(("PYTEST", "VIRTUALENV", "LC_"))]
    assert (seen["MINE"], seen["HOME"], seen["LANG"], seen["PYTHONUNBUFFERED"]) == ("1", "/", "C.UTF-8", "1")


async def test_secrets_and_configmaps_become_variables_and_are_not_in_the_definition(
    launcher: LocalLauncher, data: Path, options: LocalOptions
) -> None:
    (data / "s3").write_text("# comment\nAWS_KEY=a=b\n\nEMPTY=\n")
    options.secrets["s3"] = str(data / "s3")  # type: ignore[index]
    run = experiment("echo $AWS_KEY $POLYAXON_SECRET_USER_TOKEN", secret_refs=("s3",), token="tok")
    definition = (await launcher.launch(run))[run.jobs[0].ref]
    await ended(launcher, run)
    assert await lines(launcher, run.jobs[0].ref) == ["a=b tok"]
    assert "a=b" not in str(definition)
    assert "tok'" not in str(definition)
    for path in data.rglob("*"):
        if path.is_file() and path.name not in {"s3", "log.0", "end"}:
            assert b"tok" not in path.read_bytes().replace(b"token", b"").replace(b"TOKEN", b""), path
