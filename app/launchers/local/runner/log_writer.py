"""Writes what a job prints, in the format of container runtimes (`time stream F|P text`), into segments.

The work is done per chunk, not per line. A full disk loses nothing: what was torn is continued where it
stopped, what came since waits in memory up to a bound, and then the job's pipe is no longer read.
"""

import os
import time
from collections import deque

PARTIAL_AFTER = 0.4  # seconds until text without a newline is written as a `P` entry
PARTIAL_BYTES = 64 * 1024  # so much of it is written at once
PENDING_BYTES = 8 * 1024 * 1024  # so much waits in memory for space on the disk
SEGMENT_BYTES = 64 * 1024 * 1024


class Clock:
    """Wall-clock stamps (`2026-11-24T03:50:22.123456789Z`) that never go back."""

    def __init__(self) -> None:
        self._last = 0
        self._second = -1
        self._text = ""

    def stamp(self) -> bytes:
        """The present time, or the last one given if the clock was set back."""
        now = self._last = max(time.time_ns(), self._last)
        second, rest = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{rest:09d}Z".encode()


class Framer:
    """Turns the chunks of one stream into entries; keeps the text after the last newline."""

    def __init__(self, stream: str, clock: Clock) -> None:
        self._clock = clock
        self._full = f" {stream} F ".encode()
        self._partial = f" {stream} P ".encode()
        self._rest = b""
        self._open = False  # the present line has `P` entries already
        self.since: float | None = None  # monotonic time since when the rest waits

    def feed(self, data: bytes) -> bytes:
        """The entries that `data` makes whole."""
        cut = data.rfind(b"\n")
        if cut < 0:
            entries = b""
            self._rest += data
        else:
            head = self._clock.stamp() + self._full
            lines = self._rest + data[:cut] if self._rest else data[:cut]
            entries = head + lines.replace(b"\n", b"\n" + head) + b"\n"
            self._rest = data[cut + 1 :]
            self._open = False
            self.since = None
        if self._rest and self.since is None:
            self.since = time.monotonic()
        if len(self._rest) >= PARTIAL_BYTES:
            entries += self.flush()
        return entries

    def flush(self) -> bytes:
        """The rest as a `P` entry; its line goes on."""
        if not self._rest:
            return b""
        entry = self._clock.stamp() + self._partial + self._rest + b"\n"
        self._rest = b""
        self._open = True
        self.since = None
        return entry

    def finish(self) -> bytes:
        """The stream ended: the rest, or the end of a line whose parts are written, as an `F` entry."""
        if not self._rest and not self._open:
            return b""
        entry = self._clock.stamp() + self._full + self._rest + b"\n"
        self._rest = b""
        self._open = False
        self.since = None
        return entry


class LogWriter:
    """Appends blocks of whole entries to `log.0`, `log.1`, … in the job's folder."""

    def __init__(self, folder: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment = 0
        self._size = 0
        self._descriptor: int | None = None
        self._blocks: deque[memoryview] = deque()
        self._waiting = 0
        self.error: OSError | None = None

    @property
    def waiting(self) -> int:
        """Bytes that are not on the disk yet."""
        return self._waiting

    @property
    def full(self) -> bool:
        """Whether no more may be taken in until the disk takes some."""
        return self._waiting >= PENDING_BYTES

    def write(self, entries: bytes) -> None:
        """Take in a block of whole entries; write what the disk takes, unless it refused the last time."""
        if entries:
            self._blocks.append(memoryview(entries))
            self._waiting += len(entries)
            if self.error is None:
                self.drain()

    def drain(self) -> bool:
        """Write what waits; False while the disk refuses some of it (then `error` says why)."""
        try:
            while self._blocks:
                descriptor = self._open()
                block = self._blocks[0]
                written = os.write(descriptor, block)
                self._size += written
                self._waiting -= written
                if written < len(block):
                    self._blocks[0] = block[written:]
                else:
                    self._blocks.popleft()
                    self._rotate()
        except OSError as error:
            self.error = error
            return False
        self.error = None
        return True

    def sync(self) -> None:
        """Make all that was written durable. Raises OSError."""
        for segment in range(self._segment + 1):
            try:
                descriptor = os.open(self._path(segment), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # trimmed by the service, or never begun
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def _path(self, segment: int) -> str:
        return f"{self._folder}/log.{segment}"

    def _open(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path(self._segment), flags, 0o600)
        return self._descriptor

    def _rotate(self) -> None:
        if self._size >= self._segment_bytes and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._segment += 1
            self._size = 0
