"""What a trusted proxy says of the request that it passes on: whose it is, and by which scheme and host."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

Networks = tuple[IPv4Network | IPv6Network, ...]

_HOST = re.compile(r"[-a-zA-Z0-9._]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")
_SECURE = {"http": "https", "ws": "wss"}


def read_networks(addresses: Sequence[str]) -> Networks:
    """Addresses and networks (`10.0.0.1`, `10.0.0.0/8`, `::1`). Raises ValueError."""
    return tuple(ip_network(address, strict=False) for address in addresses)


class TrustProxies:
    """Takes `X-Forwarded-For`, `-Proto` and `-Host` from these networks, and from nobody else."""

    def __init__(self, app: ASGIApp, networks: Networks) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["client"] and self._trusts(scope["client"][0]):
            scope = self._as_sent(scope)
        await self._app(scope, receive, send)

    def _trusts(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address  # as a dual-stack socket has it
        return any(address in network for network in self._networks)

    def _as_sent(self, scope: Scope) -> Scope:
        """The request as its client sent it to the first proxy."""
        changed = dict(scope)
        client = self._client(_values(scope, b"x-forwarded-for"))
        if client is not None:
            changed["client"] = (client, 0)
        if _values(scope, b"x-forwarded-proto")[:1] in (["https"], ["wss"]):
            changed["scheme"] = _SECURE.get(scope["scheme"], scope["scheme"])
        for host in _values(scope, b"x-forwarded-host")[:1]:
            if _HOST.fullmatch(host):
                others = [header for header in scope["headers"] if header[0] != b"host"]
                changed["headers"] = [*others, (b"host", host.encode())]
        return changed

    def _client(self, forwarded: list[str]) -> str | None:
        """The last address that is no trusted proxy's: what stands before it anyone could have written."""
        client = None
        for entry in reversed(forwarded):
            host = _without_port(entry)
            try:
                client = str(ip_address(host))
            except ValueError:
                return client
            if not self._trusts(client):
                return client
        return client


def _without_port(entry: str) -> str:
    """`[::1]:80` and `10.0.0.1:80` as some proxies write them."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _values(scope: Scope, name: bytes) -> list[str]:
    """The comma-separated values of a header, of all its lines."""
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]
