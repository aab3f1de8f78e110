"""Reads the process table: who descends from whom, who carries a job's mark, and signals them safely."""

import os
import signal

MARK = "BUNSEN_JOB"


class Process:
    """One line of the process table. `start` (ticks since boot) tells it from a later one of that pid;
    `session` is the pid of who began its session."""

    __slots__ = ("core", "parent", "pid", "session", "start", "state", "ticks")

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        self.pid = pid
        self.state = fields[0].decode()
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.core = int(fields[36])
        self.ticks = int(fields[11]) + int(fields[12])
        self.start = int(fields[19])


def read_process(pid: int) -> Process | None:
    """The process of that pid, or None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Process(pid, line[line.rindex(b")") + 2 :].split())


def alive(pid: int, start: int) -> bool:
    """Whether this very process lives; a zombie is dead."""
    process = read_process(pid)
    return process is not None and process.start == start and process.state not in "ZX"


def all_processes() -> dict[int, Process]:
    """The process table by pid."""
    found = (read_process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def descendants(roots: set[int], table: dict[int, Process] | None = None) -> list[Process]:
    """All below the given pids, without these; zombies left out."""
    table = all_processes() if table is None else table
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    queue = list(roots)
    while queue:
        for child in children.get(queue.pop(), ()):
            queue.append(child.pid)
            if child.state not in "ZX":
                found.append(child)
    return found


def send(process: Process, number: int) -> bool:
    """Signal this very process, never another that got its pid since; False when it is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(process.pid, process.start):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def variables(pid: int) -> dict[bytes, bytes]:
    """The environment that the process was started with; empty where it may not be read or is gone."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read()
    except OSError:
        return {}
    return dict(pair.partition(b"=")[::2] for pair in text.split(b"\0") if pair)


def user_of(pid: int) -> int | None:
    """The real uid of the process, None when it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"Uid:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None
