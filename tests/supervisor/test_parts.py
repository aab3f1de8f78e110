"""Parts are started again: at once, then ever later, and at once again after a steady life."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedded.errors import CannotStart
from app.supervisor.parts import LONGEST_DELAY, STEADY, Keeper, Program, ending
from tests.embedded.processes import ROOT, lives, until


def ended(program: Program) -> bool:
    return program.poll() is not None


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_part_that_ends_is_started_again_at_once_and_then_ever_later(said: list[str]) -> None:
    program = Program("The part", ["/bin/sh", "-c", "exit 3"], {})
    keeper = Keeper(program, said.append)
    now = 0.0
    assert keeper.tend(now) is None
    for delay in (0.0, 0.2, 0.4, 0.8, 1.6, LONGEST_DELAY, LONGEST_DELAY):
        until(lambda: ended(program))
        due = keeper.tend(now)
        if delay:
            assert due is not None
            assert due == pytest.approx(now + delay)
            assert keeper.tend(due - 0.01) == due
            now = due
            due = keeper.tend(now)
        assert due is None
    assert said[0] == "The part ended (exit code 3) and is started again."
    assert said[1] == "The part ended (exit code 3) and is started again in 0.2 s."
    assert keeper.failures == 7


def test_after_a_steady_life_it_is_started_at_once(said: list[str]) -> None:
    program = Program("The part", ["/bin/sleep", "600"], {})
    keeper = Keeper(program, said.append)
    keeper.failures = 5
    keeper.tend(0.0)
    program.end(signal.SIGKILL)
    until(lambda: ended(program))
    assert keeper.tend(STEADY) is None
    assert not ended(program)
    assert said == ["The part ended (SIGKILL) and is started again."]
    program.end(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL


def test_a_part_that_cant_be_started_is_tried_again_and_says_why(said: list[str]) -> None:
    keeper = Keeper(Program("The part", ["/no/such/program"], {}), said.append)
    assert keeper.tend(0.0) == 0.0
    due = keeper.tend(0.0)
    assert due == pytest.approx(0.2)
    assert "/no/such/program could not be started: No such file or directory." in said[0]


def test_a_program_that_was_never_started_has_ended() -> None:
    program = Program("The part", ["/bin/true"], {})
    assert program.poll() == 0
    assert program.wait() == 0
    assert program.pid is None
    program.end(signal.SIGTERM)


def test_a_program_that_cant_be_started_raises() -> None:
    with pytest.raises(CannotStart, match="could not be started"):
        Program("The part", ["/no/such/program"], {}).start()


def test_a_program_gets_its_environment_alone_and_a_session_of_its_own(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f'(env; echo "$0 $1"; ps -o sid= -p $$) > {told}'
    program = Program("The part", ["/bin/sh", "-c", script, "zero"], {"ONE": "1", "PATH": os.environ["PATH"]})
    program.start("more")
    assert program.wait() == 0
    lines = told.read_text().split("\n")
    assert "ONE=1" in lines
    assert "zero more" in lines
    assert not [line for line in lines if line.startswith("HOME=")]
    assert str(program.pid) in told.read_text()


def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import time\nfrom app.supervisor.parts import Program\n"
        "program = Program('x', ['/bin/sleep', '600'], {})\nprogram.start()\n"
        "print(program.pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert lives(pid)
    parent.kill()
    parent.communicate()
    until(lambda: not lives(pid))


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-40, "signal 40")]
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert ending(code) == words
