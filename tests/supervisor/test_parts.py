"""Parts are started again: at once, then ever later, and at once again after a steady life."""

import os
import signal
from collections.abc import Sequence

import pytest

from app.embedded.errors import CannotStart
from app.supervisor.parts import LONGEST_DELAY, STEADY, Keeper, ending
from app.supervisor.programs import Program
from tests.embedded.processes import until


def execute(words: Sequence[str]) -> None:
    os.execv(words[0], list(words))


def ended(program: Program) -> bool:
    return program.poll() is not None


class Unstartable(Program):
    """Stands in for a machine that has no room for one more process."""

    def start(self, *more: str, files: Sequence[int] = ()) -> None:
        raise CannotStart("there is no room")


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_part_that_ends_is_started_again_at_once_and_then_ever_later(said: list[str]) -> None:
    program = Program("The part", execute, ["/bin/sh", "-c", "exit 3"], {})
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
    program = Program("The part", execute, ["/bin/sleep", "600"], {})
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
    keeper = Keeper(Unstartable("The part", execute, [], {}), said.append)
    assert keeper.tend(0.0) == 0.0
    due = keeper.tend(0.0)
    assert due == pytest.approx(0.2)
    assert said[0] == "The part ended (there is no room) and is started again."


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-40, "signal 40")]
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert ending(code) == words
