"""Runs a job's stages one after another, holds its limits, and writes how it ended."""

import contextlib
import os
import select
import signal
import time

from app.launchers.local.runner import group, records, stages
from app.launchers.local.runner.ending import Ending
from app.launchers.local.runner.job import Job
from app.launchers.local.runner.log_writer import LogWriter
from app.launchers.local.runner.memory import MemoryLimit
from app.launchers.local.runner.output import Output

_MEMORY_EVERY = 0.5  # seconds
_STOP_EVERY = 1.0  # a stop request is looked for so often; the launcher's signal makes it at once
_KILL_EVERY = 0.05
_DRAIN = 2.0  # seconds that a pipe is read on after the group's end, if a stranger holds it open
_DISK_RETRY = 0.5
_SHUTDOWN_GRACE = 8.0  # between this runner's own SIGTERM and the job's SIGKILL
_SHUTDOWN_NEWS = 0.5  # between the command's SIGTERM and this runner's own, when the machine shuts down
_TERMINATED = 128 + signal.SIGTERM


class Supervisor:
    """One job attempt from here to its end record. `wakeup` is where the numbers of signals arrive,
    `umask` the one of a job that has no user of its own."""

    def __init__(self, job: Job, wakeup: int, umask: int) -> None:
        self._job = job
        self._wakeup = wakeup
        self._poller = select.poll()
        self._poller.register(wakeup, select.POLLIN)
        self._output = Output(LogWriter(job.folder, job.segment_bytes), self._poller)
        self._around = stages.Surroundings(job.identity, job.environment, job.work, umask)
        self._limit = MemoryLimit(job.memory_limit, job.identity) if job.memory_limit else None
        self._ending: Ending | None = None
        self._child: int | None = None
        self._gentle = False  # the present stage is the user's: it gets SIGTERM and its grace
        self._code: int | None = None
        self._empty = True
        self._started_at: int | None = None
        self._start_recorded = False
        self._finished_at: int | None = None
        self._deadline: float | None = None
        self._next_memory = 0.0
        self._next_stop = 0.0
        self._stop_seen: tuple[int, int] | None = None
        self._oom_kills = group.oom_kills()
        self._note = ""
        self._noted = ""

    def run(self) -> None:
        """All stages, until one fails or something ends the job; then the end record."""
        number = 0
        try:
            self._make_folders()
            for number, stage in enumerate(self._job.stages):  # noqa: B007
                self._child = self._code = None
                self._look_for_stop()
                if self._ending is not None:
                    break
                self._run_stage(stage)
                self._await_shutdown()
                if self._code != 0 or self._ending is not None:
                    break
        except OSError as error:
            self._ending = self._ending or Ending("start_failed", message=error.strerror or str(error))
            group.kill_all(os.getpid())
        self._conclude(number)

    def _make_folders(self) -> None:
        for path in (os.path.dirname(self._job.work), self._job.work, self._job.home, self._job.temporary):
            os.mkdir(path, 0o700)
            if self._job.identity is not None:
                os.chown(path, self._job.identity.uid, self._job.identity.uid)

    def _run_stage(self, stage: stages.Stage) -> None:
        if stage.get("title"):
            self._output.say(str(stage["title"]))
        self._gentle = stage["kind"] == "command"
        out, err = self._output.open()
        try:
            self._child = stages.spawn(stage, self._around, out, err)
        finally:
            os.close(out)
            os.close(err)
        self._empty = False
        self._start_recorded = False
        if stage.get("begins"):
            self._begin()
        while not self._group_is_over():
            self._turn()
        until = time.monotonic() + _DRAIN
        while self._output.descriptors and (time.monotonic() < until or self._output.error is not None):
            self._turn()
        self._output.close()

    def _begin(self) -> None:
        self._started_at = time.time_ns()
        self._record_start()
        if self._job.timeout is not None:
            self._deadline = time.monotonic() + self._job.timeout
        self._next_memory = time.monotonic() + _MEMORY_EVERY

    def _record_start(self) -> None:
        """Again and again while the disk is full: the job runs meanwhile."""
        if self._started_at is not None and not self._start_recorded:
            with contextlib.suppress(OSError):
                start = {"at": self._started_at, "pid": self._child}
                records.write_record(self._job.folder, records.STARTED, start)
                self._start_recorded = True

    def _group_is_over(self) -> bool:
        """Whether no process of the stage is left; kills what may not live on."""
        if self._empty:
            return True
        over = self._ending.expired() if self._ending is not None else self._code is not None
        if over:
            group.kill_all(os.getpid())
            self._reap()
        return self._empty

    def _turn(self) -> None:
        """Wait for something to happen, and answer to it."""
        ready = [descriptor for descriptor, _ in self._poller.poll(self._patience() * 1000)]
        if self._wakeup in ready:
            self._take_signals()
        self._output.read([descriptor for descriptor in ready if descriptor in self._output.descriptors])
        self._output.tick()
        self._record_start()
        self._tell()
        self._reap()
        if self._code is None or self._ending is not None:
            self._look_for_stop()
            self._hold_limits()

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        times = [now + _STOP_EVERY]
        if self._ending is not None:
            times.append(max(self._ending.kill_at, now + _KILL_EVERY))
        elif self._code is not None:
            times.append(now + _KILL_EVERY)
        elif self._started_at is not None:
            times.extend([] if self._deadline is None else [self._deadline])
            times.extend([] if self._limit is None else [self._next_memory])
        due = self._output.due()
        if due is not None:
            times.append(due)
        return max(min(times) - now, 0.0)

    def _take_signals(self) -> None:
        numbers = os.read(self._wakeup, 4096)
        if signal.SIGUSR1 in numbers:
            self._next_stop = 0.0
        if {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} & set(numbers):
            self._end(Ending("runner_ended", _SHUTDOWN_GRACE))

    def _await_shutdown(self) -> None:
        """A machine that shuts down sends SIGTERM to all processes one after another: the command may have
        died of it before this runner gets its own."""
        until = time.monotonic() + _SHUTDOWN_NEWS
        while self._code == _TERMINATED and self._ending is None and time.monotonic() < until:
            if self._poller.poll((until - time.monotonic()) * 1000):
                self._take_signals()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._empty = True
                return
            if pid == 0:
                return
            if pid == self._child:
                code = os.waitstatus_to_exitcode(status)
                self._code = code if code >= 0 else 128 - code
                self._finished_at = time.time_ns()

    def _look_for_stop(self) -> None:
        now = time.monotonic()
        if now < self._next_stop:
            return
        self._next_stop = now + _STOP_EVERY
        try:
            status = os.stat(f"{self._job.folder}/{records.STOP}")
        except FileNotFoundError:
            return
        seen = (status.st_ino, status.st_mtime_ns)
        if seen == self._stop_seen:
            return
        self._stop_seen = seen
        request = records.read_record(self._job.folder, records.STOP) or {}
        grace = request.get("grace")
        reason = str(request.get("reason", "stopped"))
        self._end(Ending(reason, float(grace) if isinstance(grace, int | float) else 0.0))

    def _hold_limits(self) -> None:
        if self._ending is not None or self._started_at is None:
            return
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            self._end(Ending("timeout", self._job.grace))
        elif self._limit is not None and now >= self._next_memory:
            self._hold_memory(self._limit)
            self._next_memory = time.monotonic() + _MEMORY_EVERY

    def _hold_memory(self, limit: MemoryLimit) -> None:
        used = limit.excess([process.pid for process in group.members(os.getpid())])
        if used is not None:
            self._end(Ending("out_of_memory", used=used))
        elif limit.unreadable:
            self._limit = None
            self._note = "its memory limit is not held: this machine does not let its use of memory be read"

    def _end(self, ending: Ending) -> None:
        """The job is to end for this reason; the first reason stays, its grace can only get shorter."""
        if self._ending is not None:
            self._ending.shorten(ending)
            return
        if self._code is not None and not (ending.reason == "runner_ended" and self._code == _TERMINATED):
            return  # its command has ended: that counts
        self._ending = ending
        if self._child is None:
            return
        if self._gentle and not ending.expired():
            group.terminate_all(os.getpid())
        else:
            ending.kill_at = 0.0

    def _tell(self) -> None:
        error = self._output.error
        text = self._note if error is None else f"its log waits to be written: {error.strerror}"
        if text != self._noted:
            self._noted = text
            records.write_note(self._job.folder, text)

    def _conclude(self, number: int) -> None:
        self._output.close()
        while not self._output.stored():
            self._tell()
            time.sleep(_DISK_RETRY)
        self._noted = "\0"
        self._tell()
        record = self._record(number)
        while True:
            try:
                records.write_record(self._job.folder, records.END, record, durable=True)
                return
            except OSError as error:
                records.write_note(self._job.folder, f"its end waits to be written: {error.strerror}")
                time.sleep(_DISK_RETRY)

    def _record(self, number: int) -> dict[str, object]:
        reason = self._ending.reason if self._ending is not None else "exited"
        if reason == "exited" and self._code == 137 and group.oom_kills() > self._oom_kills:
            reason = "out_of_memory"
        failed = self._job.stages[number] if self._job.stages else {}
        return {
            "reason": reason,
            "exit_code": 137 if reason == "out_of_memory" else self._code,
            "message": self._ending.message if self._ending is not None else None,
            "used": self._ending.used if self._ending is not None else None,
            "timeout": self._job.timeout,
            "started_at": self._started_at,
            "finished_at": self._finished_at or time.time_ns(),
            "stage": failed.get("name"),
            "tail": self._output.tail.decode("utf-8", "replace"),
        }
