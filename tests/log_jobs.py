"""Jobs that only have a log: real files in the runner's form, written by the test as it likes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.launchers.base import JobSource, JobUsage, LogBytes, LogPosition
from app.launchers.local import logs
from app.launchers.local.runner import records

BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


class LogJob:
    """One attempt's folder. Each entry is a second later than the one before."""

    def __init__(self, folder: Path, ref: JobRef) -> None:
        self.ref = ref
        self._folder = folder
        self._segment = 1
        self._entries = 0
        folder.mkdir(parents=True)

    @property
    def path(self) -> Path:
        return self._folder / f"log.{self._segment}"

    def write(self, data: bytes) -> None:
        """Append bytes as they are."""
        with self.path.open("ab") as file:
            file.write(data)

    def entry(
        self, text: bytes, *, tag: str = "F", stream: str = "stdout", at: datetime | None = None
    ) -> bytes:
        """One entry, without writing it."""
        self._entries += 1
        time = at or BEGIN + timedelta(seconds=self._entries)
        head = f"{time.replace(tzinfo=None).isoformat(timespec='microseconds')}000Z {stream} {tag} "
        return head.encode() + text + b"\n"

    def say(self, *lines: str, stream: str = "stdout", at: datetime | None = None) -> None:
        """Print whole lines, in one write."""
        self.write(b"".join(self.entry(line.encode(), stream=stream, at=at) for line in lines))

    def part(self, text: str) -> None:
        """Print without a newline."""
        self.write(self.entry(text.encode(), tag="P"))

    def roll(self) -> None:
        """Begin the next segment."""
        self._segment += 1
        self.path.touch()

    def end(self) -> None:
        """The job is over: its log is whole."""
        records.write_record(str(self._folder), records.END, {"exit_code": 0})

    def segments(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("log.*"))


class LogJobs(JobSource):
    """A launcher's reading side over such folders; counts what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[JobRef, LogJob] = {}
        self.reads = self.looks = 0
        self.broken: set[JobRef] = set()
        self.used: list[JobUsage] = []
        self.hints: asyncio.Queue[JobRef] = asyncio.Queue()

    def start(self, ref: JobRef) -> LogJob:
        self.jobs[ref] = LogJob(self._of(ref), ref)
        return self.jobs[ref]

    async def observe(self, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        return {ref: JobObservation(ref, Status.RUNNING) for ref in refs if ref in self.jobs}

    async def changes(self) -> AsyncIterator[JobRef]:
        """Tells of nothing by itself."""
        while True:
            yield await self.hints.get()

    async def read_log(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
        if ref in self.broken:
            raise OSError("I/O error")
        self.reads += 1
        return logs.read(self._of(ref), position, limit)

    async def logs_ahead(self, positions: Mapping[JobRef, LogPosition]) -> list[JobRef]:
        self.looks += 1
        return [ref for ref, position in positions.items() if logs.ahead(self._of(ref), position)]

    def ends_log(self, ref: JobRef, position: LogPosition) -> bool:
        return False

    async def last_lines(self, ref: JobRef, count: int) -> list[str]:
        return []

    async def trim_log(self, ref: JobRef, position: LogPosition) -> None:
        logs.trim(self._of(ref), position)

    async def usage(self, refs: Sequence[JobRef]) -> list[JobUsage]:
        return [used for used in self.used if used.ref in refs]

    def _of(self, ref: JobRef) -> Path:
        return self.folder / ref.name
