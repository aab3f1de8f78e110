"""Started by the launcher, one for each job attempt: leaves its parent, takes the folder, runs the job.

Answers on standard output, in one word, once it is certain: `running`, or `taken` where another runner has or
had the folder. Its input is `job.Job`; the first argument is the folder above the package.
"""

import os
import signal
import sys
import time

sys.path.append(os.path.abspath(__file__).rsplit("/", 5)[0])

from app.launchers.local.runner import records, system
from app.launchers.local.runner.job import Job
from app.launchers.local.runner.processes import read_process
from app.launchers.local.runner.supervisor import Supervisor


def main() -> None:
    """See the module."""
    umask = os.umask(0o077)
    job = Job(sys.stdin.buffer.read())
    lock = records.take_lock(job.folder)
    if lock is None or records.read_record(job.folder, records.RUNNER) is not None:
        answer(b"taken")
        return
    ready, told = os.pipe()
    child = os.fork()
    if child != 0:
        os.close(told)
        claimed = os.read(ready, 1)
        if not claimed:
            _, status = os.waitpid(child, 0)
            raise SystemExit(os.waitstatus_to_exitcode(status) or 1)
        answer(b"running")
        os._exit(0)
    os.close(ready)
    supervise(job, told, umask)


def answer(word: bytes) -> None:
    """One word for the launcher."""
    os.write(1, word)


def supervise(job: Job, told: int, umask: int) -> None:
    """Claim the folder, say so, and run the job. The lock goes when this process does."""
    wakeup = take_signals()
    system.become_subreaper()
    records.prepare_note(job.folder)
    me = read_process(os.getpid())
    first = read_process(1)
    claim = {
        "pid": os.getpid(),
        "start": me.start if me else None,
        "boot": system.boot_id(),
        "init": first.start if first else None,
        "at": time.time_ns(),
    }
    records.write_record(job.folder, records.RUNNER, claim)
    leave(job.folder)
    os.write(told, b"1")
    os.close(told)
    Supervisor(job, wakeup, umask).run()


def take_signals() -> int:
    """The read end of a pipe at which signals arrive as bytes of their numbers."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def leave(folder: str) -> None:
    """Let go of the launcher's pipes and of whatever folder it was started in."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    errors = os.open(f"{folder}/{records.ERRORS}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (null, 1), (errors, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(errors)


if __name__ == "__main__":
    main()
