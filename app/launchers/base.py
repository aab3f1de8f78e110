"""The protocol that every launcher keeps, so that nothing above this floor knows which one it is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.runs import Admission, JobObservation, JobRef, RunSpec


class LaunchRefused(Exception):
    """The launch can't succeed as it stands; the message says why in words a person can act on."""


class LaunchDelayed(Exception):
    """The launch can't happen now but may later (quota, no space); the message says what it waits for."""


class LauncherAway(OSError):
    """What runs jobs can't be reached now; nothing is known, and nothing changes until it is back."""


class LauncherUnusable(Exception):
    """The launcher can't work as it is set up; the message is a whole sentence for a person at a terminal."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How far a job's log has been read: a position that the launcher alone understands.

    `file` and `offset` point behind the last byte that was read; the lines that were half read there are in
    the parser's state (`CriParser.state`), which is stored with it. In pods `mark` is the place (the last
    line by its time and content), `time` that line's, `offset` counts bytes and `file` gaps.
    """

    file: int = 0
    offset: int = 0
    time: datetime | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class LogBytes:
    """Raw log entries (`time stream F|P text\\n`, whole entries only) and where they start and end.

    `gap`: between these two times lines that came before `data` may be lost.
    """

    data: bytes
    start: LogPosition
    end: LogPosition
    eof: bool
    gap: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class JobUsage:
    """What one live job uses now: cores in percent of one, bytes."""

    ref: JobRef
    cpu_percentage: float
    percpu_percentage: tuple[float, ...]
    n_cpus: int
    memory_used: int
    memory_limit: int | None
    gpu_resources: tuple[dict[str, object], ...] = ()


class JobSource(Protocol):
    """What can be learned about jobs: how they are, what they print, what they use."""

    async def observe(self, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        """What is there of these jobs, from memory or local files; one that is not there is left out."""

    def changes(self) -> AsyncIterator[JobRef]:
        """Jobs about which there may be something new; a hint, a tick finds what it misses."""

    async def read_log(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
        """At most about `limit` bytes of the job's log from `position`. `eof` once the log is whole:
        the job is over and nothing more will come. Empty with `eof` False when there is nothing new, and for
        a job that isn't there (yet)."""

    async def logs_ahead(self, positions: Mapping[JobRef, LogPosition]) -> list[JobRef]:
        """Those of these jobs whose log has more than was read, or is whole. Asked many times a second about
        every live job at once, so it is cheap for those that are silent."""

    def ends_log(self, ref: JobRef, position: LogPosition) -> bool:
        """Whether a log that was read to `position` still comes to its end by itself, though its job isn't
        there any more."""

    async def last_lines(self, ref: JobRef, count: int) -> list[str]:
        """The last lines of a job that is over, at most `count`, as far as its log is still there."""

    async def trim_log(self, ref: JobRef, position: LogPosition) -> None:
        """What lies before `position` is stored and may be dropped."""

    async def usage(self, refs: Sequence[JobRef]) -> list[JobUsage]:
        """What live jobs use now; those of which nothing is known are left out."""


class Launcher(JobSource, Protocol):
    """Starts, watches and stops runs. Every call may be repeated; none touches the database."""

    name: str

    async def start(self) -> None:
        """Take up what an earlier process left: adopts what runs, ends what is left over.

        Raises LauncherUnusable, LauncherAway, OSError.
        """

    async def close(self) -> None:
        """Let go of everything and leave the runs as they are."""

    def trouble(self) -> str | None:
        """Why what it knows may be out of date; None if nothing is wrong."""

    def age(self) -> float:
        """Seconds since what it knows of jobs was confirmed; 0 where it looks itself."""

    def notes(self, run: RunSpec) -> str | None:
        """What this launcher can't give of what the run asks, to be said once; None if all."""

    async def admit(self, waiting: Sequence[RunSpec]) -> list[Admission]:
        """For runs in order: which may start now, beside what runs. In order, one that waits holds up
        those behind it; one that never fits holds up nobody."""

    async def launch(self, run: RunSpec) -> dict[JobRef, dict[str, object]]:
        """Start all jobs of the run, or none. Started already: nothing happens. Gives each job's
        definition (what was launched, without secrets).

        Raises LaunchRefused, LaunchDelayed.
        """

    async def known(self) -> list[JobRef]:
        """Everything of this installation's that is there, so that what has no row can be removed."""

    async def stop(self, ref: JobRef, grace: float) -> None:
        """Ask the job to end: SIGTERM, `grace` seconds, SIGKILL. Returns at once; may be repeated."""

    async def forget(self, ref: JobRef) -> None:
        """Remove what is left of a job attempt, killing it if it lives. Its log is stored by now."""

    async def release(self, principal: str) -> None:
        """An experiment is deleted: give back what it held on this launcher (its user, its owner object)."""

    async def clear_outputs(self, uuid: str, volume: str | None) -> None:
        """Delete what is in an outputs folder with the rights that jobs may have had: for what the service
        itself may not delete."""

    async def find_environment(self, build_hash: str) -> str | None:
        """The environment or image of that hash, ready for use, or None. Raises LaunchRefused,
        LaunchDelayed."""

    async def remove_environment(self, environment: str) -> None:
        """Delete a built environment that nothing uses."""

    async def address(self, ref: JobRef) -> str | None:
        """Where the job's server (TensorBoard) is, for `servers.JobServers` in any process of the service;
        None if there is none (yet). Raises LaunchDelayed, LauncherAway."""
