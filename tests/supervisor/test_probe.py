"""The probe asks without waiting, and only a 200 is ready."""

import socket
from collections.abc import Iterator

import pytest

from app.supervisor.listening import listen, reachable_address
from app.supervisor.probe import ReadyProbe


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as listener:
        yield listener


def answer(listener: socket.socket, probe: ReadyProbe, *parts: bytes) -> bool:
    """What the probe says when the server sends these parts and closes."""
    assert probe.ask() is False
    assert probe.files
    assert probe.ask() is False  # nothing there yet
    server, _ = listener.accept()
    with server:
        assert server.recv(4096).startswith(b"GET /readyz HTTP/1.0\r\n")
        for part in parts:
            server.sendall(part)
    while probe.files:
        if probe.ask():
            return True
    return False


@pytest.mark.parametrize(
    ("parts", "ready"),
    [
        ([b"HTTP/1.1 200 OK\r\n\r\n{}"], True),
        ([b"HTTP/1.1 2", b"00 OK\r\n\r\n{}"], True),
        ([b"HTTP/1.1 503 Service Unavailable\r\n\r\n200"], False),
        ([b"nonsense"], False),
        ([], False),
        ([b"HTTP/1.1 200 OK\r\n" + b"x" * 200_000], True),
    ],
)
def test_only_200_is_ready(listener: socket.socket, parts: list[bytes], ready: bool) -> None:
    assert answer(listener, ReadyProbe(reachable_address(listener)), *parts) is ready


def test_it_asks_again_after_a_no(listener: socket.socket) -> None:
    probe = ReadyProbe(reachable_address(listener))
    assert not answer(listener, probe, b"HTTP/1.1 503 No\r\n\r\n")
    assert answer(listener, probe, b"HTTP/1.1 200 OK\r\n\r\n")


def test_where_nobody_listens_nothing_is_ready() -> None:
    with listen("127.0.0.1", 0) as listener:
        address = reachable_address(listener)
    probe = ReadyProbe(address)
    assert probe.ask() is False
    assert probe.files == []
    probe.close()
