"""Raw JSON to and from the API server, over kubernetes_asyncio's configuration: every call with a timeout."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from app.launchers.base import LauncherAway, LauncherUnusable
from app.launchers.kubernetes.library import (
    ApiClient,
    ConfigException,
    Configuration,
    load_incluster_config,
    load_kube_config,
)

logger = logging.getLogger(__name__)

Json = dict[str, Any]

CALL = 15.0  # seconds for one answer
CONNECT = 5.0
RENEW = 5.0  # seconds between two readings of the configuration, where what it had is refused
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"  # lists are merged by their items' keys
PAGE = 500  # objects of a list that come at once


class ClusterAway(LauncherAway):
    """The API server gave no answer, or one that says to come again: nothing is known."""

    @property
    def unreached(self) -> bool:
        """Whether there was no connection to it."""
        return isinstance(self.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


class ApiRefused(Exception):
    """The API server said no. `reason` is its word (`NotFound`), the message its sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


async def connect() -> "Cluster":
    """The cluster that this pod is in, else the one that KUBECONFIG (or `~/.kube/config`) names.

    Raises LauncherUnusable.
    """
    return Cluster(*await _configured())


async def _configured() -> tuple[ApiClient, bool]:
    """A client with what the configuration says now, and whether this is a pod of its cluster.

    Raises LauncherUnusable.
    """
    configuration = Configuration()
    inside = True
    try:
        try:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            inside = False
            # Named here, since the client reads the variable only once, when it is imported.
            path = os.environ.get("KUBECONFIG") or None
            await load_kube_config(config_file=path, client_configuration=configuration)
    except (ConfigException, OSError, ValueError, TypeError) as error:
        raise LauncherUnusable(
            f"No cluster is configured (KUBECONFIG, ~/.kube/config or a pod's account): {error}"
        ) from error
    configuration.connection_pool_maxsize = 0  # each follower of a log holds a connection
    return ApiClient(configuration), inside


class Cluster:
    """One API server. Paths are the API's own: `/api/v1/namespaces/…`. `inside`: this process is a pod there.

    Where it does not take who asks (401), the configuration is read again: a token or a certificate may have
    been replaced there, or the program that gives them asked anew.
    """

    def __init__(self, api: ApiClient, inside: bool = False) -> None:
        self.api = api
        self.inside = inside
        self._before: ApiClient | None = None  # whose streams may go on
        self._renewing = asyncio.Lock()
        self._renewed_at = time.monotonic()
        self.host = str(api.configuration.host)

    async def close(self) -> None:
        """Close all connections."""
        for api in (self.api, self._before):
            if api is not None:
                await api.close()

    async def get(self, path: str, **params: str) -> Json:
        """Raises ApiRefused, ClusterAway."""
        return await self._call("GET", path, params=params)

    async def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """Raises ApiRefused (409 where it is there), ClusterAway: then it may be there or not."""
        return await self._call("POST", path, body=body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Json:
        """Raises ApiRefused, ClusterAway."""
        return await self._call("PUT", path, body=body)

    async def patch(self, path: str, body: Mapping[str, Any], content: str = MERGE_PATCH) -> Json:
        """A merge patch, or what else `content` says. Raises ApiRefused, ClusterAway."""
        return await self._call("PATCH", path, body=body, content=content)

    async def delete(self, path: str, *, grace: float | None = None, uid: str | None = None) -> bool:
        """Whether it was there (with that uid). Raises ApiRefused, ClusterAway."""
        body: Json = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = max(0, int(grace))
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            await self._call("DELETE", path, body=body)
        except ApiRefused as refusal:
            if refusal.status == 404 or (refusal.status == 409 and uid is not None):
                return False
            raise
        return True

    async def list(self, path: str, selector: str = "", fields: str = "") -> tuple[list[Json], str]:
        """All objects of a kind, page by page, and the version at which they were so. Raises ApiRefused (410
        where the pages expired meanwhile), ClusterAway."""
        found: list[Json] = []
        params = {"limit": str(PAGE)}
        if selector:
            params["labelSelector"] = selector
        if fields:
            params["fieldSelector"] = fields
        while True:
            page = await self._call("GET", path, params=params, timeout=4 * CALL)
            found += page.get("items") or ()
            more = page["metadata"].get("continue")
            if not more:
                return found, page["metadata"]["resourceVersion"]
            params["continue"] = more

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, silence: float | None
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """The bytes of an answer as they come; `silence` is the longest wait for some, in seconds.

        Reading raises ClusterAway only through `away()`. Raises ApiRefused, ClusterAway.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT, sock_read=silence)
        async with away():
            response = await self._request("GET", path, params, None, "application/json", timeout)
        try:
            if response.status >= 300:
                async with away(), asyncio.timeout(CALL):
                    raise _refusal(response.status, await response.read())
            yield response.content
        finally:
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        timeout: float = CALL,
    ) -> Json:
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT)
        async with away():
            response = await self._request(method, path, params or {}, body, content, limits)
            async with response:
                data = await response.read()
        if response.status >= 300:
            refusal = _refusal(response.status, data)
            if response.status in {429, 500, 502, 503, 504}:
                raise ClusterAway(f"the API server answers {response.status}: {refusal.message}")
            raise refusal
        answer: Json = orjson.loads(data) if data else {}
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content: str,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        api = self.api
        response = await self._send(api, method, path, params, body, content, timeout)
        if response.status == 401 and await self.renew(api):
            response.close()
            response = await self._send(self.api, method, path, params, body, content, timeout)
        return response

    async def renew(self, refused: ApiClient) -> bool:
        """Whether there is something else to ask with than what was refused with a 401."""
        async with self._renewing:
            if self.api is not refused:
                return True
            if time.monotonic() < self._renewed_at + RENEW:
                return False
            self._renewed_at = time.monotonic()
            try:
                api, _ = await _configured()
            except LauncherUnusable as error:
                logger.warning("%s", error)
                return False
            if self._before is not None:
                await self._before.close()
            self._before, self.api = refused, api
            return True

    async def _send(
        self,
        api: ApiClient,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content: str,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": content}
        await api.update_params_for_auth(headers, [], ["BearerToken"])
        response: aiohttp.ClientResponse = await api.rest_client.request(
            method,
            self.host + path,
            query_params=dict(params),
            headers=headers,
            body=body,
            _preload_content=False,
            _request_timeout=timeout,
        )
        return response

    @property
    def address(self) -> str:
        """The API server's `host:port`, for messages."""
        return urlsplit(self.host).netloc


@asynccontextmanager
async def away() -> AsyncIterator[None]:
    """What the network does to a call, as ClusterAway."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        said = str(error) or type(error).__name__
        raise ClusterAway(f"the API server can't be reached: {said}") from error


def _refusal(status: int, data: bytes) -> ApiRefused:
    try:
        body = json.loads(data)
        return ApiRefused(status, str(body.get("reason") or status), str(body.get("message") or status))
    except (ValueError, AttributeError):
        return ApiRefused(status, str(status), data[:500].decode(errors="replace"))
