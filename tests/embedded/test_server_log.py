"""The server's log stays short, and says why a start failed."""

from pathlib import Path

import pytest

from app.embedded.server_log import ServerLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "postgres.log"


def test_one_that_is_too_long_begins_anew_and_keeps_what_came_before(path: Path) -> None:
    log = ServerLog(path, limit=10)
    log.trim()
    with log.opened() as file:
        file.write(b"0123456789")
        file.flush()
        log.trim()
        assert path.stat().st_size == 10
        file.write(b"more")
        file.flush()
        log.trim()
        assert path.read_text() == ""
        file.write(b"after")
    assert path.read_text() == "after"
    assert path.with_name("postgres.log.1").read_text() == "0123456789more"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "it said nothing"),
        (b"LOG:  a\nx FATAL:  no space left on device.\ny FATAL:  later\n", "no space left on device"),
        (
            b"x PANIC:  could not locate a valid checkpoint record\n",
            "could not locate a valid checkpoint record",
        ),
        (b"LOG:  one\n  error while loading libz.so\n", "error while loading libz.so"),
    ],
)
def test_the_reason_is_the_first_severe_message_of_this_start(path: Path, said: bytes, reason: str) -> None:
    path.write_text("x FATAL:  of an earlier start\n")
    log = ServerLog(path)
    with log.opened() as file:
        file.write(said)
    assert log.reason() == reason


def test_a_server_that_ran_gives_its_last_severe_message(path: Path) -> None:
    log = ServerLog(path)
    with log.opened() as file:
        assert log.last_severe() == ""
        file.write(b"x FATAL:  a client went\ny PANIC:  no space left on device\nz LOG:  shutting down\n")
    assert log.last_severe() == "no space left on device"


def test_others_cant_read_it(path: Path) -> None:
    with ServerLog(path).opened():
        assert path.stat().st_mode & 0o777 == 0o600
