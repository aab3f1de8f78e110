"""Reads what the stages print, both streams, as fast as it comes and never faster than the disk takes it."""

import os
import select
import time

from app.launchers.local.runner.log_writer import PARTIAL_AFTER, Clock, Framer, LogWriter
from app.launchers.local.runner.system import pipe

_PIPE_BYTES = 256 * 1024
_GATHER = 0.004  # seconds between two reads of a stream that prints little at a time
_TAIL_BYTES = 4096
_RETRY = 0.5  # seconds until a full disk is tried again


class Output:
    """The two pipes of the present stage and the log that they go to."""

    def __init__(self, writer: LogWriter, poller: "select.poll") -> None:
        self._writer = writer
        self._poller = poller
        self._clock = Clock()
        self._framers: dict[int, Framer] = {}
        self._reading = True
        self._last_read = 0.0
        self._last_try = 0.0
        self.tail = b""

    def open(self) -> tuple[int, int]:
        """Fresh pipes; the write ends of stdout and stderr, for the caller to close once passed on."""
        ends = []
        for stream in ("stdout", "stderr"):
            reader, writer = pipe(_PIPE_BYTES)
            os.set_blocking(reader, False)
            self._framers[reader] = Framer(stream, self._clock)
            if self._reading:
                self._poller.register(reader, select.POLLIN)
            ends.append(writer)
        return ends[0], ends[1]

    def say(self, text: str) -> None:
        """A line of the runner's own, on stdout."""
        self._keep(Framer("stdout", self._clock).feed(text.encode("utf-8", "replace") + b"\n"))

    @property
    def descriptors(self) -> frozenset[int]:
        """The read ends that are open."""
        return frozenset(self._framers)

    @property
    def error(self) -> OSError | None:
        """Why the disk takes nothing at the moment."""
        return self._writer.error

    def read(self, ready: list[int]) -> None:
        """Take in what the given descriptors have; at the end of a stream it is closed."""
        pause = self._last_read + _GATHER - time.monotonic()
        if pause > 0:
            time.sleep(pause)  # a wake-up for each printed line would cost more than all the rest
        largest = 0
        for descriptor in ready:
            try:
                data = os.read(descriptor, _PIPE_BYTES)
            except BlockingIOError:
                continue
            largest = max(largest, len(data))
            if data:
                self.tail = (self.tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
                self._keep(self._framers[descriptor].feed(data))
            else:
                self._finish(descriptor)
        self._last_read = time.monotonic() if largest < _PIPE_BYTES // 4 else 0.0

    def tick(self) -> None:
        """Write lines that have waited for their end long enough, and try a full disk again."""
        now = time.monotonic()
        for framer in self._framers.values():
            if framer.since is not None and now - framer.since >= PARTIAL_AFTER:
                self._keep(framer.flush())
        if self._writer.error is not None and now - self._last_try >= _RETRY:
            self._last_try = now
            self._writer.drain()
        self._regulate()

    def due(self) -> float | None:
        """Monotonic time at which `tick` has something to do, None while it hasn't."""
        times = [
            framer.since + PARTIAL_AFTER for framer in self._framers.values() if framer.since is not None
        ]
        if self._writer.error is not None:
            times.append(self._last_try + _RETRY)
        return min(times, default=None)

    def close(self) -> None:
        """No more is expected: end the lines that are open and close the pipes."""
        for descriptor in list(self._framers):
            self._finish(descriptor)

    def stored(self) -> bool:
        """Try to have everything on the disk, durably; False while that can't be."""
        if not self._writer.drain():
            return False
        try:
            self._writer.sync()
        except OSError as error:
            self._writer.error = error
            return False
        return True

    def _keep(self, entries: bytes) -> None:
        self._writer.write(entries)
        self._regulate()

    def _regulate(self) -> None:
        """Stop reading while memory holds what it may, so that the job waits instead of losing lines."""
        reading = not self._writer.full
        if reading != self._reading:
            self._reading = reading
            for descriptor in self._framers:
                if reading:
                    self._poller.register(descriptor, select.POLLIN)
                else:
                    self._poller.unregister(descriptor)

    def _finish(self, descriptor: int) -> None:
        entries = self._framers.pop(descriptor).finish()
        if self._reading:
            self._poller.unregister(descriptor)
        os.close(descriptor)
        self._keep(entries)
