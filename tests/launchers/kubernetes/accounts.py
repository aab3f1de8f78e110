"""Service accounts of a test's namespace, with the rights that it gives them, as kubeconfigs."""

import json
import secrets
from pathlib import Path
from typing import Any

from app.launchers.kubernetes.client import Cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def make_account(cluster: Cluster, namespace: str, rules: list[dict[str, Any]]) -> str:
    """An account that may do in its namespace what the rules say; its name."""
    name = f"account-{secrets.token_hex(3)}"
    here = f"namespaces/{namespace}"
    await cluster.create(f"/api/v1/{here}/serviceaccounts", {"metadata": {"name": name}})
    await cluster.create(f"{RBAC}/{here}/roles", {"metadata": {"name": name}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    await cluster.create(f"{RBAC}/{here}/rolebindings", binding)
    return name


async def make_token(cluster: Cluster, namespace: str, account: str, **bound: Any) -> str:
    """A token of the account; it dies with the object that it is bound to, if any."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    answer = await cluster.create(path, {"spec": {"expirationSeconds": 3600, **bound}})
    return str(answer["status"]["token"])


def write_kubeconfig(cluster: Cluster, file: Path, token: str) -> Path:
    """A kubeconfig of the same cluster for whoever has this token."""
    authority = cluster.api.configuration.ssl_ca_cert
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": cluster.host, "certificate-authority": authority}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(content))
    return file
