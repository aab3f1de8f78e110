"""The service's own programs: forks of the supervisor, which has imported once what they need."""

import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle

from app.embedded.errors import CannotStart
from app.embedded.parent_death import die_with_parent

Run = Callable[[Sequence[str]], None]  # runs the command line's words, and may raise SystemExit


class Program:
    """One of the service's own programs, which ends when this process does, however that ends.

    It is forked, not executed anew: importing takes seconds, once for all programs and their restarts. So
    this process must have one thread, and what it has imported must not hold on to files or threads.
    """

    def __init__(
        self,
        name: str,
        run: Run,
        words: Sequence[str],
        environment: Mapping[str, str],
        files: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self._run = run
        self._words = words
        self._environment = environment
        self._files = files
        self._code: int | None = 0

    def start(self, *more: str, files: Sequence[int] = ()) -> None:
        """Start it, this time with `more` words and files to inherit. It has a session of its own, so that
        a Ctrl-C reaches it through this process alone. Raises CannotStart."""
        _flush()
        arm = die_with_parent(signal.SIGKILL)
        # A signal that comes at once must find the program's ways, not the supervisor's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._become([*self._words, *more], [*self._files, *files], arm)
        except OSError as error:
            raise CannotStart(f"{self.name} could not be started: {error.strerror}.") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.pid, self._code = pid, None

    def poll(self) -> int | None:
        if self._code is None and self.pid is not None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def last_words(self) -> str:
        return ""  # it spoke to the terminal itself

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        if self._code is None and self.pid is not None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code or 0

    def end(self, sig: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.pid is not None and self.poll() is None:
            os.kill(self.pid, sig)

    def _become(self, words: Sequence[str], files: Sequence[int], arm: Callable[[], None]) -> NoReturn:
        """Be the program; never returns into what called, which is the supervisor's."""
        code = 1
        try:
            arm()
            _leave(files)
            setproctitle(f"bunsen {words[0]}")  # before the environment, beside which the title lies
            os.environ.clear()
            os.environ.update(self._environment)
            self._run(words)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            _flush()
            os._exit(code)


def open_standard_files() -> None:
    """Where who started this closed standard input, output or error, put nothing there: else the next file
    that is opened would take its number, and what programs print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def share_memory() -> None:
    """Keep what is imported by now on pages that forks share, since collections no longer touch it."""
    gc.collect()
    gc.freeze()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by who started this
            with contextlib.suppress(OSError):
                stream.flush()


def _leave(files: Sequence[int]) -> None:
    """Leave behind what was the supervisor's: session, signals, standard input, and all files but some."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for sig in signal.valid_signals():
        if callable(signal.getsignal(sig)):
            signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number in sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()):
        if number > 2 and number not in files:
            with contextlib.suppress(OSError):  # the listing's own is closed by now
                os.close(number)
