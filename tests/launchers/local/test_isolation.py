"""As root, an experiment that tries everything gets at nothing of another one's, nor of the service's."""

import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.lifecycle import Status
from app.domain.runs import JobRef
from app.launchers.base import LaunchDelayed
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.layout import Layout
from app.launchers.local.options import LocalOptions
from app.launchers.local.users import NoUserFree, Users
from tests.launchers.local.runs import archive, ended, experiment, lines, new_uuid, observed, owned, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each experiment a user")

ATTACK = r"""
import ctypes, glob, json, os, signal, socket, sys
given = json.load(open('given.json'))
got = []
def attempt(name, call):
    try:
        result = call()
    except (OSError, ValueError):
        return
    if result is not False and result != []:
        got.append(name)
def write(path):
    with open(path, 'ab') as file:
        file.write(b'x')
for pid in given['pids'] + given['runners'] + [given['service']]:
    for what in ('environ', 'mem', 'maps', 'io', 'stack', 'syscall'):
        attempt(f'read {what} of {pid}', lambda: open(f'/proc/{pid}/{what}', 'rb').read(1) or False)
    for link in ('cwd', 'root', 'exe'):
        attempt(f'{link} of {pid}', lambda: os.readlink(f'/proc/{pid}/{link}'))
    attempt(f'descriptors of {pid}', lambda: os.listdir(f'/proc/{pid}/fd'))
    attempt(f'signal {pid}', lambda: os.kill(pid, 0) is None)
    attempt(f'kill {pid}', lambda: os.kill(pid, signal.SIGKILL) is None)
    attempt(f'trace {pid}', lambda: ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0)
    attempt(f'limit {pid}', lambda: __import__('resource').prlimit(pid, 7, (9, 9)) and True)
for path in given['paths']:
    attempt(f'list {path}', lambda: os.listdir(path) is not None)
    attempt(f'read {path}', lambda: open(path, 'rb').read(1) is not None)
    attempt(f'write {path}', lambda: write(path) is None)
    attempt(f'write into {path}', lambda: write(path + '/intruder') is None)
    attempt(f'remove {path}', lambda: os.unlink(path) is None)
    attempt(f'rename {path}', lambda: os.rename(path, path + '.away') is None)
    attempt(f'open {path}', lambda: os.chmod(path, 0o777) is None)
    attempt(f'link {path}', lambda: os.link(path, 'linked') is None)
attempt('become root', lambda: os.setuid(0) is None)
attempt('become another', lambda: os.setuid(given['uid']) is None)
attempt('join the group', lambda: os.setgroups([given['uid']]) is None)
print(json.dumps(got))
"""


@pytest.fixture
def mode() -> str:
    return "own-users"


@pytest.fixture
async def victim(launcher: LocalLauncher, data: Path) -> AsyncIterator[tuple[JobRef, dict[str, object]]]:
    """An experiment that runs and has something everywhere, and what an attacker would need to know."""
    (data / "token").write_text("the first user's")
    (data / "token").chmod(0o600)
    code = archive(data / "victim.tgz", {"secret.py": "key = 1"})
    code.chmod(0o600)
    command = (
        "echo mine > $POLYAXON_RUN_OUTPUTS_PATH/model; echo mine > $TMPDIR/t; echo mine > $HOME/h;"
        "mkfifo $TMPDIR/fifo; echo ready; sleep 1000"
    )
    run = experiment(command, code=str(code), token="the victim's")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    log = launcher._layout.job(ref) / "log.0"
    await until(lambda: _has(log, b"ready"))
    plan = launcher._plans.of(ref)
    assert plan is not None
    assert plan.uid is not None
    layout = Layout(data)
    folder, temporary = layout.job(ref), layout.job_temporary(ref)
    processes = owned(plan.uid)
    paths = [
        *(folder, folder / "log.0", folder / "lock", folder / "stop", folder / "runner", folder / "note"),
        *(folder / "work", folder / "work/code", folder / "work/code/secret.py", folder / "work/home/h"),
        *(temporary, temporary / "t", temporary / "fifo"),
        *(layout.outputs, layout.outputs / run.uuid, layout.outputs / run.uuid / "model"),
        *(data, data / "token", code, layout.jobs, layout.runs, layout.users, layout.trash, layout.cache),
        *(layout.temporary, layout.runs / f"{run.uuid}-1", layout.users / str(plan.uid)),
        *(layout.environments / str(plan.environment), layout.environments / str(plan.environment) / "bin/x"),
        layout.environments / str(plan.environment) / "lib/python3.11/site-packages/pip/__init__.py",
    ]
    yield (
        ref,
        {
            "pids": processes,
            "runners": [launcher._jobs.runner(ref)],
            "service": os.getpid(),
            "paths": [str(path) for path in paths],
            "uid": plan.uid,
        },
    )
    await launcher.forget(ref)


async def _has(path: Path, text: bytes) -> bool:
    return path.exists() and text in path.read_bytes()


async def test_an_experiment_gets_at_nothing_of_another(
    launcher: LocalLauncher, victim: tuple[JobRef, dict[str, object]], data: Path
) -> None:
    ref, given = victim
    code = archive(data / "attack.tgz", {"attack.py": ATTACK, "given.json": json.dumps(given)})
    run = experiment("python3 attack.py; kill -9 -1", code=str(code))
    await launcher.launch(run)
    await ended(launcher, run)
    got = json.loads((await lines(launcher, run.jobs[0].ref))[0])
    environment = str(launcher._plans.of(ref).environment)  # type: ignore[union-attr]
    shared = [name for name in got if environment in name and name.startswith(("list", "read"))]
    assert [name for name in got if name not in shared] == []
    assert shared, "the attack does run: what all may read, it reads"
    assert (await launcher.observe([ref]))[ref].status is Status.RUNNING


async def test_the_attack_would_be_seen_among_users_who_are_one(
    victim: tuple[JobRef, dict[str, object]], launcher: LocalLauncher, data: Path
) -> None:
    """The same program as the victim's own user gets at nearly everything: it does try."""
    ref, given = victim
    principal = launcher._plans.of(ref).principal  # type: ignore[union-attr]
    paths = [path for path in given["paths"] if not path.endswith("fifo")]  # type: ignore[attr-defined]
    given = {**given, "pids": [], "runners": [], "paths": paths}
    code = archive(data / "attack.tgz", {"attack.py": ATTACK, "given.json": json.dumps(given)})
    run = experiment("python3 attack.py", code=str(code), principal=principal)
    await launcher.launch(run)
    await ended(launcher, run)
    got = json.loads((await lines(launcher, run.jobs[0].ref))[0])
    assert {name.split()[0] for name in got} >= {"list", "read", "write"}


async def test_each_experiment_is_a_user_of_its_own_without_a_way_up(launcher: LocalLauncher) -> None:
    runs = [experiment("id -u; id -g; id -G; grep NoNewPrivs /proc/self/status; umask") for _ in range(2)]
    seen = []
    for run in runs:
        await launcher.launch(run)
        await ended(launcher, run)
        seen.append(await lines(launcher, run.jobs[0].ref))
    assert seen[0][0] != seen[1][0]
    for uid, gid, groups, privileges, umask in seen:
        assert uid == gid == groups
        assert (privileges.split(), umask) == (["NoNewPrivs:", "1"], "0027")


async def test_outputs_are_the_experiment_s_and_readable_for_those_that_name_them(
    launcher: LocalLauncher, data: Path
) -> None:
    first = experiment("cd $POLYAXON_RUN_OUTPUTS_PATH; mkdir sub; echo model > sub/m; stat -c %a . sub/m")
    await launcher.launch(first)
    await ended(launcher, first)
    assert await lines(launcher, first.jobs[0].ref) == ["2750", "640"]
    path = data / "outputs" / first.uuid
    reader = experiment(f"cat {path}/sub/m; touch {path}/new || echo no; rm -rf {path}/sub; ls {path}")
    for run, expected in (
        (reader, []),
        (experiment(reader.command, reads=(first.uuid,)), ["model", "no", "sub"]),
    ):
        await launcher.launch(run)
        await ended(launcher, run)
        out = [line for line in await lines(launcher, run.jobs[0].ref) if "ermission" not in line]
        assert out == (expected or ["no"])
    resumed = experiment(f"cat {path}/sub/m; touch {path}/new", principal=first.uuid, outputs=first.uuid)
    await launcher.launch(resumed)
    assert (await ended(launcher, resumed)).status is Status.SUCCEEDED


async def test_a_copy_that_the_service_made_becomes_the_experiment_s(
    launcher: LocalLauncher, data: Path
) -> None:
    run = experiment("cat $POLYAXON_RUN_OUTPUTS_PATH/deep/model; rm -r $POLYAXON_RUN_OUTPUTS_PATH/deep")
    copy = data / "outputs" / run.uuid / "deep"
    copy.mkdir(parents=True, mode=0o700)
    (copy / "model").write_text("copied\n")
    (copy / "link").symlink_to("/etc/passwd")
    before = Path("/etc/passwd").stat().st_uid
    await launcher.launch(run)
    assert (await ended(launcher, run)).status is Status.SUCCEEDED
    assert await lines(launcher, run.jobs[0].ref) == ["copied"]
    assert Path("/etc/passwd").stat().st_uid == before


async def test_a_fork_bomb_stays_within_its_own_user_and_dies_with_its_job(options: LocalOptions) -> None:
    launcher = LocalLauncher(
        LocalOptions(data=options.data, uids=options.uids, cpus=4, gpus=0, max_processes=60)
    )
    await launcher.start()
    run = experiment("b() { b | b & }; b; sleep 1000")
    await launcher.launch(run)
    await observed(launcher, run.jobs[0].ref, Status.RUNNING)
    other = experiment("sh -c 'echo fine'")
    await launcher.launch(other)
    assert (await ended(launcher, other)).status is Status.SUCCEEDED
    await launcher.stop(run.jobs[0].ref, 0.2)
    await ended(launcher, run)
    uid = launcher._plans.of(run.jobs[0].ref).uid  # type: ignore[union-attr]
    assert uid is not None
    assert owned(uid) == []
    for each in (run, other):
        await launcher.forget(each.jobs[0].ref)
    await launcher.close()


async def test_a_user_goes_back_with_all_that_is_its_own(launcher: LocalLauncher) -> None:
    mark = new_uuid()
    segment = 'python3 -c "import ctypes; ctypes.CDLL(None).shmget(0, 4096, 0o1600)"'
    run = experiment(f"mkdir -p /tmp/{mark}/in; touch /dev/shm/{mark}; chmod 0 /tmp/{mark}/in; {segment}")
    beside = replace(experiment("sleep 1000"), principal=run.principal)  # as its TensorBoard
    await launcher.launch(beside)
    await launcher.launch(run)
    assert (await ended(launcher, run)).status is Status.SUCCEEDED
    await launcher.forget(run.jobs[0].ref)
    assert Path(f"/tmp/{mark}").exists(), "as long as its user has anything that runs"
    uid = launcher._users.find(run.principal)  # type: ignore[union-attr]
    assert uid is not None
    assert f" {uid} " in Path("/proc/sysvipc/shm").read_text()
    await launcher.forget(beside.jobs[0].ref)
    assert f" {uid} " not in Path("/proc/sysvipc/shm").read_text()
    assert not Path(f"/tmp/{mark}").exists()
    assert not Path(f"/dev/shm/{mark}").exists()
    await launcher.release(run.principal)
    await launcher.release(run.principal)
    assert launcher._users.find(run.principal) is None  # type: ignore[union-attr]


async def test_without_a_free_user_an_experiment_waits(options: LocalOptions) -> None:
    assert options.uids is not None
    first = options.uids[0]
    launcher = LocalLauncher(LocalOptions(data=options.data, uids=(first, first), cpus=4, gpus=0))
    await launcher.start()
    run = experiment("true")
    await launcher.launch(run)
    with pytest.raises(LaunchDelayed, match="all 1 users for experiments are in use"):
        await launcher.launch(experiment("true"))
    await ended(launcher, run)
    await launcher.forget(run.jobs[0].ref)
    await launcher.close()


def test_who_has_which_uid_outlives_the_service_and_is_reused_late(tmp_path: Path) -> None:
    span = 120_000_000 + os.getpid()
    users = Users(tmp_path, (span, span + 2))
    assert [users.allot(name) for name in ("a", "b", "a")] == [span, span + 1, span]
    users.release("a")
    users.release("a")
    assert users.allot("c") == span + 2
    (tmp_path / ".103").write_text("cut by a crash")
    again = Users(tmp_path, (span, span + 2))
    again.load()
    assert (again.find("a"), again.find("b"), again.find("c")) == (None, span + 1, span + 2)
    assert again.allot("d") == span
    with pytest.raises(NoUserFree):
        again.allot("e")
    again.release("b")
    assert again.allot("e") == span + 1


def test_a_uid_of_which_something_runs_is_given_to_nobody(tmp_path: Path) -> None:
    """Such as an experiment of another service, which was ended."""
    first = 120_000_000 + os.getpid()
    with subprocess.Popen(["/bin/sleep", "600"], user=first) as foreign:
        users = Users(tmp_path, (first, first + 1))
        users.load()
        assert users.allot("a") == first + 1
        with pytest.raises(NoUserFree):
            users.allot("b")
        foreign.kill()
        foreign.wait()
        assert users.allot("b") == first


def test_folders_of_the_data_folder_can_be_passed_or_not_entered_at_all(data: Path) -> None:
    layout = Layout(data)
    layout.make()
    layout.make()
    closed = (layout.runs, layout.users, layout.cache, layout.trash)
    passed = (layout.jobs, layout.temporary, layout.outputs, layout.environments)
    assert {stat.S_IMODE(path.stat().st_mode) for path in closed} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in passed} == {0o711}
