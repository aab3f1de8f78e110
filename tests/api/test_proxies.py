"""What is believed of `X-Forwarded-…`, and from whom."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from app.api.proxies import TrustProxies, read_networks
from app.settings import Settings

TRUSTED = ("10.0.0.0/8", "::1")


async def seen(headers: dict[str, str], *, peer: str | None = "10.0.0.1", scheme: str = "http") -> Any:
    """What the application sees of a request with these headers: client, scheme, host."""
    found: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.update(scope)

    async def never(*_: Any) -> Any:
        raise AssertionError

    lines = [(key.lower().encode(), value.encode()) for key, value in {"Host": "inner", **headers}.items()]
    scope = {
        "type": "websocket" if scheme == "ws" else "http",
        "scheme": scheme,
        "client": None if peer is None else (peer, 1234),
        "headers": lines,
    }
    await TrustProxies(app, read_networks(TRUSTED))(scope, never, never)
    client = found["client"]
    return client and client[0], found["scheme"], dict(found["headers"])[b"host"].decode()


FORWARDED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "bunsen.example:8443",
}


@pytest.mark.parametrize("peer", ["10.0.0.1", "10.255.3.4", "::1", "::ffff:10.0.0.1"])
async def test_a_trusted_proxy_is_believed(peer: str) -> None:
    assert await seen(FORWARDED, peer=peer) == ("203.0.113.7", "https", "bunsen.example:8443")


@pytest.mark.parametrize("peer", ["192.0.2.1", "::2", "a-unix-socket", None])
async def test_nobody_else_is_believed(peer: str | None) -> None:
    assert await seen(FORWARDED, peer=peer) == (peer, "http", "inner")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("203.0.113.7:5678", "203.0.113.7"),
        ("[2001:db8::1]:5678", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown, 10.1.1.1", "10.1.1.1"),
        ("unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
async def test_the_client_is_the_last_address_that_is_no_proxy(forwarded: str, client: str) -> None:
    assert (await seen({"X-Forwarded-For": forwarded}))[0] == client


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "", "[::1", "a:123456"])
async def test_a_host_that_is_none_changes_nothing(host: str) -> None:
    assert (await seen({"X-Forwarded-Host": host}))[2] == "inner"


async def test_a_websocket_over_https_is_wss() -> None:
    assert (await seen(FORWARDED, scheme="ws"))[1] == "wss"
    assert (await seen({"X-Forwarded-Proto": "gopher"}))[1] == "http"


def test_a_setting_that_names_no_network_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies=("10.0.0.0/8", "the-proxy"))
