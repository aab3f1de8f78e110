"""A build's steps run once in an environment of their own, then read-only, named by its hash, shared."""

import os
import signal
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.lifecycle import Status
from app.domain.runs import RunSpec
from app.launchers.base import LaunchRefused
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from tests.launchers.local.conftest import MODES
from tests.launchers.local.runs import (
    alive,
    archive,
    build,
    ended,
    experiment,
    job,
    lines,
    until,
)

MODULE = (
    "python -c \"import sysconfig; open(sysconfig.get_path('purelib') + '/built.py', 'w').write('WORD = 1')\""
)


BOTH = pytest.mark.parametrize("mode", MODES, indirect=True)


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> str:
    """With users of their own where that can be; both ways where a test says so."""
    return str(getattr(request, "param", MODES[0]))


def _hash(run: RunSpec) -> str:
    assert run.build is not None
    return run.build.hash


@BOTH
async def test_an_environment_is_made_used_and_removed(launcher: LocalLauncher, data: Path) -> None:
    code = archive(
        data / "code.tgz",
        {
            "./requirements.txt": "x==1",
            "setup.sh": "echo set up with $SETTING",
            "train.py": "",
            "d/setup.sh": "",
        },
    )
    steps = ("ls -A; cat requirements.txt; ./setup.sh", MODULE, "echo $OTHER $HOME; id -u")
    run = build(*steps, code=str(code), env_vars=(("SETTING", "7"),))
    assert await launcher.find_environment(_hash(run)) is None
    await launcher.launch(run)
    seen = await ended(launcher, run)
    log = await lines(launcher, run.jobs[0].ref)
    assert (seen.status, seen.message) == (Status.SUCCEEDED, None), log
    assert seen.started_at is not None
    assert log[:5] == [
        f"Step 1/3: {steps[0]}",
        "requirements.txt",
        "setup.sh",
        "x==1set up with 7",
        f"Step 2/3: {MODULE}",
    ]
    assert log[5] == f"Step 3/3: {steps[2]}"
    if launcher._users is not None:
        assert log[7] == str(launcher._users.find(run.principal)) != "0"
    name = await launcher.find_environment(_hash(run))
    assert name is not None
    use = experiment(
        "python -c 'import built; print(built.WORD)'; python3 -c 'import built'; which python pip;"
        "touch $VIRTUAL_ENV/new; python -m pip --version > /dev/null && echo pip",
        environment=name,
    )
    await launcher.launch(use)
    assert (await ended(launcher, use)).status is Status.SUCCEEDED
    path = data / "envs" / name
    out = await lines(launcher, use.jobs[0].ref)
    expected = ["1", f"{path}/bin/python", f"{path}/bin/pip", "pip"]
    assert [line for line in out if "touch" not in line] == expected
    await launcher.remove_environment(name)
    await launcher.remove_environment(name)
    assert await launcher.find_environment(_hash(run)) is None
    assert not path.exists()
    with pytest.raises(LaunchRefused, match="not there any more"):
        await launcher.launch(experiment("true", environment=name))


async def test_steps_see_what_links_lead_to_and_no_more(launcher: LocalLauncher, data: Path) -> None:
    """As with pods, which get their files from the service."""
    files = {"sub/r.txt": "x==1", "sub/s.sh": "echo set up", "train.py": ""}
    links = {
        "here": "sub",
        "requirements.txt": "here/r.txt",
        "setup.sh": "sub/s.sh",
        "polyaxon_setup.sh": "gone",
    }
    code = archive(data / "code.tgz", files, links)
    run = build("ls -A; cat requirements.txt; ./setup.sh; stat -c %F *", code=str(code))
    await launcher.launch(run)
    assert (await ended(launcher, run)).status is Status.SUCCEEDED
    (_, *log) = await lines(launcher, run.jobs[0].ref)
    assert log == ["requirements.txt", "setup.sh", "x==1set up", *["regular file"] * 2]


@BOTH
async def test_after_the_build_it_belongs_to_the_service_and_nobody_can_write_to_it(
    launcher: LocalLauncher, data: Path
) -> None:
    steps = (
        "cd $VIRTUAL_ENV; mkfifo pipe; ln -s /etc/passwd link; mkdir -m 777 d; echo x > d/f; chmod 4777 d/f",
        "cd $VIRTUAL_ENV; (setsid sleep 1000 &) ; echo bye",
    )
    run = build(*steps)
    await launcher.launch(run)
    assert (await ended(launcher, run)).status is Status.SUCCEEDED
    assert alive(run.jobs[0].ref.name) == []
    name = await launcher.find_environment(_hash(run))
    path = data / "envs" / str(name)
    assert not (path / "pipe").exists()
    assert Path("/etc/passwd").stat().st_uid == 0
    for entry in [path, *path.rglob("*")]:
        status = entry.lstat()
        assert status.st_uid == os.geteuid(), entry
        if not stat.S_ISLNK(status.st_mode):
            assert not status.st_mode & 0o7222, entry
            assert status.st_mode & 0o444 == 0o444, entry


@pytest.mark.skipif(os.geteuid() != 0, reason="links to others' files")
async def test_a_link_to_another_s_file_is_not_touched(launcher: LocalLauncher, data: Path) -> None:
    """Some kernels allow hard links to files that are not one's own: closing must not open such a file."""
    victim = data / "victim"
    victim.write_text("secret")
    victim.chmod(0o600)
    run = build("echo ready; while [ ! -e $HOME/go ]; do sleep 0.01; done")
    await launcher.launch(run)
    ref = run.jobs[0].ref
    await until(lambda: _has(launcher._layout.job(ref) / "log.0", b"ready"))
    plan = launcher._plans.of(ref)
    assert plan is not None
    os.link(victim, data / "envs" / str(plan.environment) / "stolen")
    (launcher._layout.job(ref) / "work/home/go").touch()
    assert (await ended(launcher, run)).status is Status.SUCCEEDED
    if launcher._users is not None:
        assert stat.S_IMODE(victim.stat().st_mode) == 0o600
        assert not (data / "envs" / str(plan.environment) / "stolen").exists()


async def _has(path: Path, text: bytes) -> bool:
    return path.exists() and text in path.read_bytes()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("echo oh; exit 3", "step 2 of 3 (echo oh; exit 3) failed with exit code 3"),
        (
            "apt-get install x",
            "step 2 of 3 (apt-get install x) failed with exit code 100;"
            " steps run without root and without an image here: a cluster has them",
        ),
    ],
)
async def test_a_step_that_fails_is_named_with_its_last_lines_and_leaves_no_environment(
    launcher: LocalLauncher, data: Path, step: str, said: str
) -> None:
    run = build("true", step, "echo never")
    await launcher.launch(run)
    seen = await ended(launcher, run)
    assert seen.status is Status.FAILED
    assert (seen.message or "").replace("code 127", "code 100") == said
    assert seen.details is not None
    assert seen.details["last_lines"]
    log = await lines(launcher, run.jobs[0].ref)
    assert "never" not in log
    assert await launcher.find_environment(_hash(run)) is None
    await launcher.forget(run.jobs[0].ref)
    assert list((data / "envs").glob(f"{_hash(run)[:16]}*")) == []


async def test_a_build_can_be_stopped(launcher: LocalLauncher) -> None:
    run = build("echo ready; sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(lambda: _has(launcher._layout.job(ref) / "log.0", b"ready"))
    await launcher.stop(ref, 5)
    assert (await ended(launcher, run)).status is Status.STOPPED
    assert await launcher.find_environment(_hash(run)) is None


async def test_a_build_that_was_killed_is_made_anew(
    launcher: LocalLauncher, options: LocalOptions, data: Path
) -> None:
    run = build("echo ready; sleep 1000")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(lambda: _has(launcher._layout.job(ref) / "log.0", b"ready"))
    await launcher.close()
    runner = launcher._jobs.runner(ref)
    assert runner is not None
    os.kill(runner, signal.SIGKILL)
    after = LocalLauncher(options)
    await after.start()
    assert (await ended(after, run)).infrastructure
    await after.forget(ref)
    assert await after.find_environment(_hash(run)) is None
    again = replace(run, attempt=2, jobs=(job(),), build=replace(run.build, steps=("true",)))  # type: ignore[type-var]
    await after.launch(again)
    assert (await ended(after, again)).status is Status.SUCCEEDED
    assert await after.find_environment(_hash(run)) is not None
    await after.close()


async def test_the_service_removes_what_no_build_finishes_and_keeps_what_goes_on(
    launcher: LocalLauncher, options: LocalOptions, data: Path
) -> None:
    run = build("echo ready; while [ ! -e $HOME/go ]; do sleep 0.01; done")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(lambda: _has(launcher._layout.job(ref) / "log.0", b"ready"))
    await launcher.close()
    left = data / "envs" / "left-over"
    left.mkdir()
    after = LocalLauncher(options)
    await after.start()
    assert not left.exists()
    (after._layout.job(ref) / "work/home/go").touch()
    assert (await ended(after, run)).status is Status.SUCCEEDED
    assert await after.find_environment(_hash(run)) is not None
    await after.close()


async def test_nocache_builds_beside_what_is_in_use(launcher: LocalLauncher, data: Path) -> None:
    first = build("true")
    await launcher.launch(first)
    await ended(launcher, first)
    old = await launcher.find_environment(_hash(first))
    assert first.build is not None
    second = replace(build(), build=replace(first.build, nocache=True))
    await launcher.launch(second)
    await ended(launcher, second)
    new = await launcher.find_environment(_hash(first))
    assert new != old
    assert (data / "envs" / str(old)).exists()
    await launcher.remove_environment(str(old))
    assert await launcher.find_environment(_hash(first)) == new


async def test_settings_give_steps_variables_that_are_not_kept(options: LocalOptions) -> None:
    launcher = LocalLauncher(replace(options, step_env={"PIP_INDEX_URL": "secret-index"}))
    await launcher.start()
    run = build("echo $PIP_INDEX_URL")
    definition = (await launcher.launch(run))[run.jobs[0].ref]
    await ended(launcher, run)
    assert (await lines(launcher, run.jobs[0].ref))[-1] == "secret-index"
    assert "secret-index" not in str(definition)
    name = await launcher.find_environment(_hash(run))
    use = experiment("echo [$PIP_INDEX_URL]", environment=name)
    await launcher.launch(use)
    await ended(launcher, use)
    assert await lines(launcher, use.jobs[0].ref) == ["[]"]
    for each in (run, use):
        await launcher.forget(each.jobs[0].ref)
    await launcher.close()
