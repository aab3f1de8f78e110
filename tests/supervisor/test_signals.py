"""Signals end a wait, and ending ones are remembered."""

import os
import signal
import subprocess
import time

import pytest

from app.supervisor.signals import ENDING, Signals


@pytest.mark.parametrize("number", ENDING)
def test_an_ending_signal_ends_the_wait_and_is_remembered(number: signal.Signals) -> None:
    ours = signal.signal(number, signal.default_int_handler)  # it may be ignored here, as under nohup
    before = signal.getsignal(number)
    with Signals() as signals:
        assert not signals.ending
        os.kill(os.getpid(), number)
        signals.wait(60)
        assert signals.ending
    assert signal.getsignal(number) is before
    signal.signal(number, ours)


def test_a_childs_end_ends_the_wait_alone() -> None:
    with Signals() as signals:
        began = time.monotonic()
        with subprocess.Popen(["/bin/true"]):
            signals.wait(60)
        assert not signals.ending
        assert time.monotonic() - began < 30


def test_a_file_that_can_be_read_ends_the_wait() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    with Signals() as signals:
        signals.wait(60, [reader])
        signals.wait(0)
        signals.wait(-1)
    os.close(reader)
    os.close(writer)


def test_under_nohup_the_hangup_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            signals.wait(0)
            assert not signals.ending
    finally:
        signal.signal(signal.SIGHUP, before)
