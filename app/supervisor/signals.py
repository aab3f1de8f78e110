"""Signals and files awaited in one place, by a process of one thread."""

import os
import select
import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Self

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """While entered, ending signals set `ending` in place of ending the process, and any signal, that of a
    child's end included, ends a wait."""

    def __init__(self) -> None:
        self.ending = False
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in (*ENDING, signal.SIGCHLD):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # under nohup it stays ignored
            self._before[number] = signal.signal(number, self._taken)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._reader)
        os.close(self._writer)

    def _taken(self, number: int, frame: FrameType | None) -> None:
        if number in ENDING:
            self.ending = True

    def wait(self, seconds: float, files: Sequence[int] = ()) -> None:
        """Wait until a signal came, one of the files can be read, or the time is over."""
        readable, _, _ = select.select([self._reader, *files], [], [], max(seconds, 0))
        if self._reader in readable:
            os.read(self._reader, 4096)
