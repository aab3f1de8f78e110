"""The listening socket: taken before anything is started, or refused in a sentence."""

import os
import socket
import threading

import pytest

from app.embedded.errors import CannotStart
from app.supervisor.listening import http_url, listen, reachable_address
from tests.embedded.other_user import as_other


def test_port_0_takes_a_free_one() -> None:
    with listen("127.0.0.1", 0) as listener:
        host, port = reachable_address(listener)
        assert host == "127.0.0.1"
        socket.create_connection((host, port), timeout=5).close()


def test_what_listens_everywhere_is_reached_on_this_machine() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert reachable_address(listener)[0] == "127.0.0.1"
    with listen("", 0) as listener:
        assert reachable_address(listener)[0] in {"127.0.0.1", "::1"}


def test_an_ipv6_address_is_in_brackets_in_its_url() -> None:
    assert http_url("127.0.0.1", 8000) == "http://127.0.0.1:8000"
    assert http_url("::1", 8000) == "http://[::1]:8000"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_listens_on_ipv6_too() -> None:
    try:
        listener = listen("::1", 0)
    except CannotStart:
        pytest.skip("no IPv6 here")
    with listener:
        socket.create_connection(reachable_address(listener), timeout=5).close()


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} on 127.0.0.1 is taken"):
            listen("127.0.0.1", port)


def test_with_patience_one_that_becomes_free_is_taken() -> None:
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    timer = threading.Timer(0.1, first.close)
    timer.start()
    with listen("127.0.0.1", port, patience=20) as second:
        assert second.getsockname()[1] == port
    timer.join()


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(CannotStart, match=r"can't listen on 203\.0\.113\.1:0: "):
        listen("203.0.113.1", 0)
    with pytest.raises(CannotStart, match="can't listen on no such host"):
        listen("no such host", 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")
def test_a_port_that_only_root_may_take_is_named() -> None:
    with pytest.raises(CannotStart, match=r"may not listen on 127\.0\.0\.1:80; name a port from 1024"):
        as_other(65_534, 65_534, lambda: listen("127.0.0.1", 80))
