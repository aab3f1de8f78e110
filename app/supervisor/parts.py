"""What the service is made of, and how each part is kept running."""

import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from app.embedded.errors import CannotStart

STEADY = 10.0  # seconds of life after which an end counts as the first again
FIRST_DELAY, LONGEST_DELAY = 0.2, 3.0  # seconds before the second start in a row, and at most


class Part(Protocol):
    """Something that runs."""

    @property
    def name(self) -> str:
        """How a person is told of it."""

    @property
    def pid(self) -> int | None:
        """Its process, None before the first start."""

    def start(self) -> None:
        """Start it. Raises CannotStart."""

    def poll(self) -> int | None:
        """None while it runs, then its exit code (minus the signal)."""

    def last_words(self) -> str:
        """Why it ended, where it said so; else empty."""


class Keeper:
    """Starts one part, and again whenever it ended: at once the first time, then after growing delays."""

    def __init__(self, part: Part, say: Callable[[str], None]) -> None:
        self.part = part
        self.failures = 0  # in a row
        self._say = say
        self._runs = False
        self._began = 0.0
        self._due = 0.0

    def adopt(self, now: float) -> None:
        """Take up a part that was started already."""
        self._runs, self._began = True, now

    def tend(self, now: float) -> float | None:
        """Do what is due at `now` (seconds); gives when to look again, None to wait for its end."""
        if self._runs:
            code = self.part.poll()
            if code is None:
                return None
            words = self.part.last_words()
            self._ended(now, f"{ending(code)}: {words}" if words else ending(code))
        if now >= self._due:
            try:
                self.part.start()
            except CannotStart as error:
                self._ended(now, str(error))
            else:
                self.adopt(now)
                return None
        return self._due

    def _ended(self, now: float, how: str) -> None:
        self.failures = 1 if self._runs and now - self._began >= STEADY else self.failures + 1
        self._runs = False
        delay = 0.0 if self.failures == 1 else min(FIRST_DELAY * 2 ** (self.failures - 2), LONGEST_DELAY)
        self._due = now + delay
        self._say(
            f"{self.part.name} ended ({how}) and is started again{f' in {delay:g} s' if delay else ''}."
        )


def ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def reap_orphans(known: Sequence[int | None]) -> None:
    """As process 1: bury what was orphaned here and has ended; those known are left to who started them."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in known:
            return
        os.waitpid(found.si_pid, 0)
