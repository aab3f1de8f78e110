"""Where a pod's server is: at its Service for whoever is in the cluster, else behind the API server's proxy.

What is sent through the API server bears the service's own rights there, so that nothing of a user's request
may reach more than that one server.
"""

import re
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from app.domain.runs import RunKind
from app.launchers.base import LaunchDelayed
from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import ApiRefused, Cluster, connect
from app.launchers.kubernetes.library import ApiClient, Configuration
from app.launchers.kubernetes.variables import SERVER_PORT
from app.launchers.servers import LIMITS, TIMEOUT, NoSuchPath, ServerAway

Json = Mapping[str, Any]

# A path with escapes or dot segments may mean another one to whoever reads it next.
_PLAIN = re.compile(rb"(/(?!\.{1,2}(/|\?|$))[-A-Za-z0-9._~!$&'()*+,;=:@]*)+(\?.*)?", re.DOTALL)
_PASSED = {
    *("accept", "accept-encoding", "accept-language", "cache-control", "content-encoding", "content-type"),
    *("if-modified-since", "if-none-match", "if-range", "origin", "range", "referer", "user-agent"),
}
_PASSED_PREFIXES = ("x-bunsen-", "x-tensorboard-")


async def address_of(cluster: Cluster, namespace: str, pod: Json) -> str | None:
    """Where the service reaches this pod's server; None if none. Raises LaunchDelayed, LauncherAway."""
    marks = pod["metadata"]["labels"]
    if marks.get(names.COMPONENT) != names.COMPONENTS[RunKind.TENSORBOARD]:
        return None
    name = names.objects_name(marks[names.RUN], marks[names.ATTEMPT])
    path = f"/api/v1/namespaces/{namespace}/services/{name}"
    if not cluster.inside:
        return f"{path}:{SERVER_PORT}/proxy"
    try:
        service = await cluster.get(path)
    except ApiRefused as refusal:
        raise LaunchDelayed(f"the cluster does not tell where it is: {refusal.message}") from refusal
    address = service["spec"]["clusterIP"]
    return f"[{address}]:{SERVER_PORT}" if ":" in address else f"{address}:{SERVER_PORT}"


async def connect_servers() -> "ProxiedServers":
    """With the cluster that KUBECONFIG names now. Raises LauncherUnusable."""
    return ProxiedServers(await connect())


class ProxiedServers:
    """The servers behind the API server's proxy; an address is the path there. See `JobServers`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clients: list[tuple[ApiClient, httpx.AsyncClient]] = []  # the newest last

    async def send(
        self, address: str, method: str, path: bytes, headers: Mapping[str, str], body: bytes = b""
    ) -> httpx.Response:
        """The answer with its body to be read, whose reader closes it. Raises ServerAway, NoSuchPath."""
        if not _PLAIN.fullmatch(path):
            raise NoSuchPath
        passed = {name: value for name, value in headers.items() if _is_passed(name.lower())}
        api = self._cluster.api
        answer = await self._send(api, address, method, path, passed, body)
        if answer.status_code == 401 and await self._cluster.renew(api):
            await answer.aclose()
            answer = await self._send(self._cluster.api, address, method, path, passed, body)
        return answer

    async def close(self) -> None:
        """Close all connections."""
        for _, client in self._clients:
            await client.aclose()
        await self._cluster.close()

    async def _send(
        self, api: ApiClient, address: str, method: str, path: bytes, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        identity: dict[str, str] = {}
        await api.update_params_for_auth(identity, [], ["BearerToken"])
        url = httpx.URL(self._cluster.host)
        url = url.copy_with(raw_path=url.raw_path.rstrip(b"/") + address.encode() + path)
        client = await self._client(api)
        request = client.build_request(method, url, headers={**headers, **identity}, content=body or None)
        if name := api.configuration.tls_server_name:
            request.extensions["sni_hostname"] = name
        try:
            return await client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise ServerAway(str(error) or type(error).__name__) from error

    async def _client(self, api: ApiClient) -> httpx.AsyncClient:
        """The one that connects as this client of the library does. Streams may go on with the one before."""
        if self._clients and self._clients[-1][0] is api:
            return self._clients[-1][1]
        client = httpx.AsyncClient(
            timeout=TIMEOUT,
            limits=LIMITS,
            trust_env=True,  # as kubernetes_asyncio's
            verify=_tls(api.configuration),
            proxy=api.configuration.proxy,
        )
        del client.headers["accept-encoding"]
        self._clients.append((api, client))
        while len(self._clients) > 2:
            await self._clients.pop(0)[1].aclose()
        return client


def _is_passed(header: str) -> bool:
    return header in _PASSED or header.startswith(_PASSED_PREFIXES)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """As kubernetes_asyncio makes it of its configuration."""
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.disable_strict_ssl_verification:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
