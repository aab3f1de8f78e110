"""Starts a job's runner and waits until it has taken the job's folder."""

import os
import signal
import subprocess
from pathlib import Path

from app.launchers.base import LaunchDelayed
from app.launchers.local import runner
from app.launchers.local.options import LocalOptions
from app.launchers.local.runner import records
from app.launchers.local.runner.processes import read_process, send

_PROGRAM = str(Path(runner.__file__).parent / "__main__.py")
_SECONDS = 60.0


def spawn_runner(options: LocalOptions, folder: Path, text: bytes) -> None:
    """Start a runner on the folder, with `text` (`runner.job.Job`) as its input. Blocks until it has the
    folder; one that has or had a runner gets none. Raises LaunchDelayed."""
    try:
        with subprocess.Popen(
            [*options.runner, _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"LANG": "C.UTF-8", **options.runner_environment},
            start_new_session=True,
        ) as process:
            answer, errors = _talk(process, text)
    except OSError as error:
        raise LaunchDelayed(f"waits for a process to start: {error.strerror}") from error
    if answer not in (b"running", b"taken"):
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        raise LaunchDelayed(f"waits for its runner to start: {lines[-1] if lines else 'it died'}")


def _talk(process: "subprocess.Popen[bytes]", text: bytes) -> tuple[bytes, bytes]:
    try:
        return process.communicate(text, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def request_stop(folder: Path, grace: float, reason: str) -> None:
    """Store the request where the runner finds it, then wake the runner. Without one the job is stopped at
    once: nobody starts it any more. Blocks. Raises OSError."""
    path = str(folder)
    records.write_record(path, records.STOP, {"grace": grace, "reason": reason})
    runner_record = records.read_record(path, records.RUNNER)
    if runner_record is not None:
        wake(runner_record)
        return
    lock = records.take_lock(path)
    if lock is None:
        return  # a runner is about to begin, and looks for the request before it does
    try:
        if records.read_record(path, records.RUNNER) is None:
            records.write_record(path, records.END, {"reason": reason}, durable=True)
    finally:
        os.close(lock)


def wake(runner_record: dict[str, object]) -> None:
    """Let the runner look for a request now instead of within a second, and go on where a job froze it."""
    pid = runner_record.get("pid")
    process = read_process(pid) if isinstance(pid, int) else None
    if process is not None and process.start == runner_record.get("start"):
        send(process, signal.SIGUSR1)
        send(process, signal.SIGCONT)
