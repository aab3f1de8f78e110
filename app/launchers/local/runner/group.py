"""The group of a job: all that descends from its runner, whatever it calls itself."""

import os
import signal
import time

from app.launchers.local.runner.processes import Process, descendants, send

_TICKS = os.sysconf("SC_CLK_TCK")
_PASSES = 3


def members(runner: int) -> list[Process]:
    """The living processes below the runner; it is their subreaper, so none can leave."""
    return descendants({runner})


def terminate_all(runner: int) -> None:
    """SIGTERM to each process that lives now, once; SIGCONT too, so that a halted one can answer.

    Repeated while the table changes under the reading, but not for what starts after the first signal: that
    is what a program's own handler runs to clean up.
    """
    began = int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)
    done: set[tuple[int, int]] = set()
    for _ in range(_PASSES):
        fresh = [p for p in members(runner) if p.start <= began and (p.pid, p.start) not in done]
        if not fresh:
            return
        for process in fresh:
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
            done.add((process.pid, process.start))


def kill_all(runner: int) -> None:
    """One pass of SIGKILL over what lives; halted first, so that nothing forks away from it."""
    processes = members(runner)
    for process in processes:
        send(process, signal.SIGSTOP)
    for process in processes:
        send(process, signal.SIGKILL)


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot."""
    try:
        with open("/proc/vmstat", "rb") as file:
            for line in file:
                if line.startswith(b"oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0
