"""What the service is made of, and how each part is kept running."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from app.embedded.errors import CannotStart
from app.embedded.parent_death import die_with_parent

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


class Program:
    """One of the service's own programs, which ends when this process does, however that ends."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], files: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, *more: str, files: Sequence[int] = ()) -> None:
        """Start it, this time with `more` arguments and files to inherit. It has a session of its own, so
        that a Ctrl-C reaches it through this process alone. Raises CannotStart."""
        try:
            self._process = subprocess.Popen(
                [*self._command, *more],
                stdin=subprocess.DEVNULL,
                env=self._environment,
                pass_fds=[*self._files, *files],
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - takes no lock
            )
        except OSError as error:
            raise CannotStart(f"{self._command[0]} could not be started: {error.strerror}.") from None

    def poll(self) -> int | None:
        return self._process.poll() if self._process else 0

    def last_words(self) -> str:
        return ""  # it spoke to the terminal itself

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        return self._process.wait() if self._process else 0

    def end(self, sig: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(sig)


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
