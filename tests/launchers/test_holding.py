"""No two services of root on one machine share users."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.launchers.holding import UsersTaken, held_users
from tests.embedded.processes import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives users")

FIRST = 130_000_000 + os.getpid() * 10
HOLD = """
import sys
from app.launchers.holding import held_users
with held_users((int(sys.argv[1]), int(sys.argv[2]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(first: int, last: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that holds these users."""
    command = [sys.executable, "-c", HOLD, str(first), str(last)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_users_that_overlap_are_refused_until_their_holder_is_gone() -> None:
    with holder(FIRST + 2, FIRST + 4) as process:
        for span in ((2, 4), (0, 2), (4, 9), (3, 3), (0, 9)):
            with pytest.raises(UsersTaken), held_users((FIRST + span[0], FIRST + span[1])):
                pass
        for span in ((0, 1), (5, 9)):
            with held_users((FIRST + span[0], FIRST + span[1])):
                pass
        process.kill()
        process.wait()
        with held_users((FIRST, FIRST + 9)):
            pass
