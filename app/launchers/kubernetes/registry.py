"""A registry of images over its HTTP API (OCI Distribution 1.1): which image has a tag, and its removal."""

import hashlib
import re
from collections.abc import Awaitable, Callable

import httpx

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RegistryRefused(Exception):
    """The registry takes no such call, with this login or at all; the message has its words."""


class RegistryAway(Exception):
    """The registry gave no answer, or one that says to come again."""


class Registry:
    """One repository of a registry. `login` gives `user:password` or None, and is asked where it's needed."""

    def __init__(
        self, url: str, repository: str, *, verify: bool, login: Callable[[], Awaitable[str | None]]
    ) -> None:
        self._base = f"{url}/v2/{repository}/manifests"
        self._repository = repository
        self._login = login
        self._authorization: str | None = None
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, verify=verify, follow_redirects=True)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def digest(self, tag: str) -> str | None:
        """The digest (`sha256:…`) of the image with this tag; None where there is none.

        Raises RegistryRefused, RegistryAway.
        """
        response = await self._call("HEAD", tag, "pull")
        if response.status_code == 404:
            return None
        digest = response.headers.get("docker-content-digest")
        if digest is None:  # the specification lets a registry leave it out
            response = await self._call("GET", tag, "pull")
            digest = f"sha256:{hashlib.sha256(response.content).hexdigest()}"
        return str(digest)

    async def delete(self, digest: str) -> bool:
        """Remove an image; whether it is gone: many registries don't do that. Raises RegistryRefused,
        RegistryAway."""
        response = await self._call("DELETE", digest, "pull,push,delete")
        return response.status_code != 405

    async def _call(self, method: str, reference: str, actions: str) -> httpx.Response:
        response = await self._send(method, reference, self._authorization)
        if response.status_code == 401:
            self._authorization = await self._authorize(response, actions)
            response = await self._send(method, reference, self._authorization)
        if response.status_code in {401, 403}:
            raise RegistryRefused(_words(response))
        if response.status_code == 429 or response.status_code >= 500:
            raise RegistryAway(_words(response))
        if response.status_code >= 400 and response.status_code not in {404, 405}:
            raise RegistryRefused(_words(response))
        return response

    async def _send(self, method: str, reference: str, authorization: str | None) -> httpx.Response:
        headers = {"Accept": _MANIFESTS}
        if authorization is not None:
            headers["Authorization"] = authorization
        return await self._answer(method, f"{self._base}/{reference}", headers=headers)

    async def _authorize(self, response: httpx.Response, actions: str) -> str | None:
        """What a challenge asks for (RFC 7617, or Docker's token server). Raises RegistryRefused,
        RegistryAway."""
        scheme, _, rest = response.headers.get("www-authenticate", "").partition(" ")
        login = await self._login()
        basic = httpx.BasicAuth(*login.split(":", 1)) if login and ":" in login else None
        if scheme.lower() == "basic":
            if basic is None:
                raise RegistryRefused("it needs a login (BUNSEN_REGISTRY_SECRET)")
            request = next(basic.auth_flow(httpx.Request("GET", self._base)))
            return str(request.headers["Authorization"])
        found = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in found:
            return None
        params = {"scope": f"repository:{self._repository}:{actions}"}
        if "service" in found:
            params["service"] = found["service"]
        answer = await self._answer("GET", found["realm"], params=params, auth=basic)
        if answer.status_code >= 500:
            raise RegistryAway(_words(answer))
        if answer.status_code >= 400:
            raise RegistryRefused(_words(answer))
        said = answer.json()
        return f"Bearer {said.get('token') or said.get('access_token')}"

    async def _answer(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        auth: httpx.BasicAuth | None = None,
    ) -> httpx.Response:
        try:
            return await self._client.request(method, url, headers=headers, params=params, auth=auth)
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            raise RegistryAway(str(error) or type(error).__name__) from error


def _words(response: httpx.Response) -> str:
    """The status, and the error of its body where that has one."""
    told = f"{response.status_code} {response.reason_phrase}"
    try:
        error = response.json()["errors"][0]
        return f"{told}: {error.get('message') or error['code']}"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return told
