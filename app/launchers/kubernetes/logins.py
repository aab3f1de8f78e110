"""Logins of registries, from the Secrets of the namespace that the settings name (`docker config.json`)."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.kubernetes.client import ApiRefused, Cluster

Json = dict[str, Any]

KEY = ".dockerconfigjson"


class Logins:
    """Logins by registry, as Docker's configuration has them. What is in it is secret."""

    def __init__(self, auths: Mapping[str, Json]) -> None:
        self._auths = dict(auths)

    def text(self) -> str | None:
        """All as a configuration; None where there are none."""
        return json.dumps({"auths": self._auths}) if self._auths else None

    def of(self, host: str) -> str | None:
        """`user:password` for a registry; None where none is known."""
        for name, auth in self._auths.items():
            if _host(name) == host:
                return _login(auth)
        return None


async def read_logins(cluster: Cluster, namespace: str, secrets: Sequence[str]) -> Logins:
    """All logins of these Secrets; of one registry the last one's. Raises LaunchRefused, LaunchDelayed,
    LauncherAway."""
    auths: dict[str, Json] = {}
    for name in secrets:
        try:
            secret = await cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ApiRefused as refusal:
            if refusal.status == 404:
                raise LaunchRefused(f"there is no Secret {name!r} with a registry's login") from refusal
            raise LaunchDelayed(f"a registry's login can't be read: {refusal.message}") from refusal
        try:
            found = json.loads(base64.b64decode((secret.get("data") or {})[KEY]))["auths"]
            auths |= {str(host): dict(auth) for host, auth in found.items()}
        except (KeyError, ValueError, TypeError, AttributeError):
            raise LaunchRefused(
                f"the Secret {name!r} has no login of a registry: it needs {KEY}, as "
                "`kubectl create secret docker-registry` makes it"
            ) from None
    return Logins(auths)


def _host(name: str) -> str:
    """The registry that a key of the configuration is about: Docker's own has an old URL as its name."""
    host = name.partition("://")[2] or name
    host = host.partition("/")[0]
    return "docker.io" if host == "index.docker.io" else host


def _login(auth: Json) -> str | None:
    if auth.get("auth"):
        try:
            return base64.b64decode(auth["auth"]).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
    if auth.get("username"):
        return f"{auth['username']}:{auth.get('password') or ''}"
    return None
