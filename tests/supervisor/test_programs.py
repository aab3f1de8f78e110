"""A program is a fork that has left everything of the supervisor's behind, and ends with it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from app.supervisor.programs import Program
from app.supervisor.signals import Signals
from tests.embedded.processes import ROOT, lives, until

FORKS_NO_MORE = """
import os, resource
from app.embedded.errors import CannotStart
from app.supervisor.programs import Program
if os.geteuid() == 0:
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    Program("The part", print, [], {}).start()
except CannotStart as error:
    print(error)
"""
STARTS_ONE = """
import time
from app.supervisor.programs import Program
program = Program("x", lambda words: time.sleep(600), ["x"], {})
program.start()
print(program.pid, flush=True)
time.sleep(600)
"""

CLOSED = """
import os, sys
from app.supervisor.programs import Program, open_standard_files
from app.supervisor.up import greet, say
open_standard_files()
greet("hello")
say("hello")
program = Program("The part", lambda words: print(words), ["x"], {})
program.start()
with open(sys.argv[1], "w") as told:
    told.write(f"{program.wait()} {os.readlink('/proc/self/fd/1')}")
"""
UNREAD = """
import sys
from app.supervisor.up import greet
greet("x" * 100_000)
sys.stderr.write("goes on")
"""


def nothing(words: Sequence[str]) -> None:
    pass


def test_one_that_was_never_started_has_ended() -> None:
    program = Program("The part", nothing, ["x"], {})
    assert program.poll() == 0
    assert program.wait() == 0
    assert program.pid is None
    program.end(signal.SIGTERM)


def test_one_that_cant_be_started_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS_NO_MORE], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "The part could not be started: Resource temporarily unavailable.\n"


def test_it_gets_its_environment_alone_a_session_and_a_title_of_its_own(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def tell(words: Sequence[str]) -> None:
        title = psutil.Process().cmdline()
        told.write_text(repr((words, dict(os.environ), os.getsid(0) == os.getpid(), title, os.read(0, 9))))

    program = Program("The part", tell, ["zero"], {"ONE": "1"})
    program.start("more")
    assert program.wait() == 0
    words, environment, leads, title, read = eval(told.read_text())
    assert words == ["zero", "more"]
    assert environment.items() >= {("ONE", "1")}
    assert "HOME" not in environment
    assert leads
    assert " ".join(title).strip() == "bunsen zero"
    assert read == b""


def test_of_files_it_has_those_that_it_was_given(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def tell(words: Sequence[str]) -> None:
        socket.socket(fileno=int(words[1])).getsockname()
        told.write_text(" ".join(path.name for path in Path("/proc/self/fd").iterdir()))

    with socket.create_server(("127.0.0.1", 0)) as listener, (tmp_path / "lock").open("w"):
        number = listener.fileno()
        program = Program("The part", tell, ["x", str(number)], {}, [number])
        program.start()
        assert program.wait() == 0
    open_files = {int(name) for name in told.read_text().split()}
    assert number not in open_files  # the socket that was made of it closed it
    assert len(open_files - {0, 1, 2}) <= 2  # the listing, and the file that is written


def test_a_signal_ends_it_whatever_the_supervisor_does_with_signals() -> None:
    with Signals() as signals:
        program = Program("The part", lambda words: time.sleep(600), ["x"], {})
        program.start()
        program.end(signal.SIGTERM)
        assert program.wait() == -signal.SIGTERM
        assert not signals.ending


@pytest.mark.parametrize(
    ("raised", "code"),
    [(None, 0), (SystemExit(), 0), (SystemExit(3), 3), (SystemExit("why"), 1), (ValueError("x"), 1)],
)
def test_its_end_is_an_exit_code_and_nothing_of_the_supervisor_goes_on_in_it(
    raised: BaseException | None, code: int, tmp_path: Path
) -> None:
    def end(words: Sequence[str]) -> None:
        if raised:
            raise raised

    program = Program("The part", end, ["x"], {})
    try:
        program.start()
    finally:
        (tmp_path / str(os.getpid())).touch()
    assert program.wait() == code
    assert [path.name for path in tmp_path.iterdir()] == [str(os.getpid())]


def test_it_ends_with_the_process_that_started_it() -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert lives(pid)
    parent.kill()
    parent.communicate()
    until(lambda: not lives(pid))


def test_standard_files_that_were_closed_are_nothing_and_no_reason_to_end(tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", CLOSED, str(told)]
    subprocess.run(command, cwd=ROOT, check=True)
    assert told.read_text() == "0 /dev/null"


def test_that_nobody_reads_the_greeting_any_more_is_no_reason_to_end() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", UNREAD], stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=True
    )
    os.close(writer)
    assert done.stderr == "goes on"
