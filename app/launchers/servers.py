"""The way to the servers that jobs run (TensorBoard), the same in every process of the service."""

import asyncio
import importlib
import ssl
from collections.abc import Mapping
from typing import Protocol

import httpx

from app.launchers.base import LauncherAway, LauncherUnusable

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; to load whom to trust takes 20 ms
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=20)
TIMEOUT = httpx.Timeout(60, connect=5)  # they answer slowly while they read


class ServerAway(Exception):
    """The server can't be reached now; the message says why."""


class NoSuchPath(Exception):
    """No request goes to such a path: a proxy in between could take it for one of its own."""


class Servers(Protocol):
    """See `JobServers`."""

    async def send(
        self, address: str, method: str, path: bytes, headers: Mapping[str, str], body: bytes = b""
    ) -> httpx.Response: ...

    async def close(self) -> None: ...


class JobServers:
    """Sends requests to the addresses that `Launcher.address` gives: `host:port`, or a path of a cluster's
    API server, which passes on what is sent there. What that needs is loaded with the first such request."""

    def __init__(self) -> None:
        # No proxy of the environment stands between.
        self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS, trust_env=False, verify=NO_TLS)
        del self._client.headers["accept-encoding"]  # what the browser sent of it is what holds
        self._cluster: Servers | None = None
        self._connecting = asyncio.Lock()

    async def send(
        self, address: str, method: str, path: bytes, headers: Mapping[str, str], body: bytes = b""
    ) -> httpx.Response:
        """The answer with its body to be read, whose reader closes it. `path` is raw, with the query.

        Raises ServerAway, NoSuchPath.
        """
        if address.startswith("/"):
            cluster = await self._connect()
            return await cluster.send(address, method, path, headers, body)
        url = httpx.URL(f"http://{address}/").copy_with(raw_path=path)
        request = self._client.build_request(method, url, headers=dict(headers), content=body or None)
        try:
            return await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise ServerAway(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        if self._cluster is not None:
            await self._cluster.close()

    async def _connect(self) -> Servers:
        """Raises ServerAway."""
        async with self._connecting:
            if self._cluster is None:
                # The client of clusters takes half a second to import, which one machine does without.
                module = await asyncio.to_thread(importlib.import_module, "app.launchers.kubernetes.servers")
                try:
                    self._cluster = await module.connect_servers()
                except (LauncherUnusable, LauncherAway) as error:
                    raise ServerAway(str(error)) from error
            return self._cluster
