"""Ends what a killed runner left, and writes the end that it could not write."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

from app.disk import delete_tree
from app.launchers.base import LaunchDelayed
from app.launchers.local import logs
from app.launchers.local.ipc import remove_ipc
from app.launchers.local.plans import Plan
from app.launchers.local.runner import records, system
from app.launchers.local.runner.processes import (
    MARK,
    Process,
    alive,
    all_processes,
    descendants,
    read_process,
    send,
    user_of,
    variables,
)

_CLEAN_SCANS = 2  # in a row that find nothing, since a process can fork while it is looked for
_PATIENCE = 10.0
_RUNNER_PROGRAM = b"/launchers/local/runner/__main__.py"
_SHARED = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")))  # noqa: S108

Runners = Callable[[], Collection[int]]


def settle(folder: Path, plan: Plan | None, runners: Runners) -> bool:
    """Bring a job whose runner is gone to its end; False while that can't be (it runs, or won't die).

    `runners` gives the pids of all living runners: what descends from them is theirs. A job that was planned
    before the machine restarted had one, whatever the power cut left of it. Blocks. Raises OSError.
    """
    lock = records.take_lock(str(folder))
    if lock is None:
        return False
    try:
        if (folder / records.END).exists():
            return True
        runner = records.read_record(str(folder), records.RUNNER)
        restarted = machine_restarted(runner, plan)
        if runner is None and not restarted:
            return False  # nothing was started
        if not kill_leftovers(folder, plan.uid if plan else None, runners):
            return False
        logs.mend(folder, lost=restarted)
        started = records.read_record(str(folder), records.STARTED) or {}
        record = {
            "reason": "lost",
            "message": "the machine restarted" if restarted else _how_it_was_lost(runner or {}),
            "started_at": started.get("at"),
            "finished_at": time.time_ns(),
        }
        records.write_record(str(folder), records.END, record, durable=True)
        return True
    finally:
        os.close(lock)


def kill_leftovers(folder: Path, uid: int | None, runners: Runners) -> bool:
    """Kill every process of the job; False when some is not gone after ten seconds."""
    until = time.monotonic() + _PATIENCE
    clean = 0
    while clean < _CLEAN_SCANS:
        found = _find(folder, uid, runners)
        if not found:
            clean += 1
            continue
        clean = 0
        if time.monotonic() >= until:
            return False
        for process in found:
            send(process, signal.SIGSTOP)
        for process in found:
            send(process, signal.SIGKILL)
            _collect(process.pid)
        time.sleep(0.01)
    return True


def release_user(uid: int) -> None:
    """End and delete what a user leaves outside of its experiment's folders, so that the next one who gets
    this uid finds nothing. Raises LaunchDelayed where some process does not die."""
    if not kill_user(uid):
        raise LaunchDelayed(f"the processes of user {uid} do not end, though they were killed")
    clear_user(uid)


def clear_user(uid: int) -> None:
    """Delete what a user, of whom no process is left, has outside of its experiment's folders."""
    for place in _SHARED:
        for entry in place.iterdir() if place.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # someone else's, removed meanwhile
                if entry.lstat().st_uid == uid:
                    delete_tree(entry)
    remove_ipc(uid)


def kill_user(uid: int) -> bool:
    """Kill every process of an experiment's own user; False when some is not gone after ten seconds."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        found = [process for process in _living(all_processes()) if user_of(process.pid) == uid]
        if not found:
            return True
        for process in found:
            send(process, signal.SIGKILL)
            _collect(process.pid)
        time.sleep(0.01)
    return False


def _find(folder: Path, uid: int | None, runners: Runners) -> list[Process]:
    """By the mark in their variables, by the command's session, or by the experiment's own user; and all
    below those."""
    table = all_processes()
    kept = runners()  # after the table: a runner that came since has no process in it
    session = _session(folder, table)
    found: dict[int, Process] = {}
    for process in _living(table):
        ours = _is_marked(process.pid, folder) or (uid is not None and user_of(process.pid) == uid)
        ours = ours or (uid is None and process.session == session)
        if ours and not _is_under(process.pid, kept):
            found[process.pid] = process
    for process in descendants(set(found), table):
        found[process.pid] = process
    return list(found.values())


def _is_marked(pid: int, folder: Path) -> bool:
    return variables(pid).get(MARK.encode()) == folder.name.encode()


def _session(folder: Path, table: dict[int, Process]) -> int | None:
    """The session of a job's command, unless the machine was restarted, or it is somebody else's by now."""
    runner = records.read_record(str(folder), records.RUNNER)
    if runner is None or machine_restarted(runner, None):
        return None
    pid = (records.read_record(str(folder), records.STARTED) or {}).get("pid")
    if not isinstance(pid, int):
        return None
    leader = table.get(pid)
    if leader is not None and leader.state not in "ZX" and not _is_marked(pid, folder):
        return None
    return pid


def _is_under(pid: int, runners: Collection[int]) -> bool:
    """Whether the process descends from a living runner, asked of the kernel now: the table is not of one
    moment. One that is going through a change of parents counts as such, until the next scan."""
    while pid > 1:
        if pid in runners or _is_runner(pid):
            return True
        process = read_process(pid)
        if process is None:
            return True
        pid = process.parent
    return False


def _is_runner(pid: int) -> bool:
    """Whether it is a runner, perhaps of another service on this machine whose range of users overlaps."""
    if user_of(pid) != os.geteuid():
        return False
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().endswith(_RUNNER_PROGRAM + b"\0")
    except OSError:
        return False


def _living(table: dict[int, Process]) -> list[Process]:
    return [process for process in table.values() if process.state not in "ZX"]


def _collect(pid: int) -> None:
    """Where the service is a container's first process, it inherits orphans: leave no zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def runner_alive(runner: dict[str, object]) -> bool:
    """Whether the runner of that record lives."""
    pid, start = runner.get("pid"), runner.get("start")
    same_boot = runner.get("boot") == system.boot_id()
    return same_boot and isinstance(pid, int) and isinstance(start, int) and alive(pid, start)


def machine_restarted(runner: dict[str, object] | None, plan: Plan | None) -> bool:
    """Whether the machine was started anew since a job was planned, or since its runner took it."""
    boot = system.boot_id()
    if runner is not None:
        return runner.get("boot") != boot
    return plan is not None and plan.boot is not None and plan.boot != boot


def _how_it_was_lost(runner: dict[str, object]) -> str:
    first = read_process(1)
    if first is not None and runner.get("init") != first.start:
        return "its container restarted"
    return "its runner was killed"
