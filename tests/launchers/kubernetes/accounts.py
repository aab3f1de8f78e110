"""Accounts of the cluster with the rights that a test gives them, as kubeconfigs."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from app.launchers.kubernetes.client import Cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
Rule = Mapping[str, Sequence[str]]


@asynccontextmanager
async def account(
    cluster: Cluster, namespace: str, rules: Sequence[Rule], cluster_rules: Sequence[Rule] = ()
) -> AsyncIterator[str]:
    """The token of an account that may do what the rules say, in the namespace and in the whole cluster."""
    name = f"account-{secrets.token_hex(5)}"
    here = f"namespaces/{namespace}"
    await cluster.create(f"/api/v1/{here}/serviceaccounts", {"metadata": {"name": name}})
    for kind, where, given in (
        ("Role", f"{here}/roles", rules),
        ("ClusterRole", "clusterroles", cluster_rules),
    ):
        await cluster.create(f"{RBAC}/{where}", {"metadata": {"name": name}, "rules": given})
        role = {"apiGroup": GROUP, "kind": kind, "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
        await cluster.create(f"{RBAC}/{where.removesuffix('s')}bindings", binding)
    try:
        path = f"/api/v1/{here}/serviceaccounts/{name}/token"
        made = await cluster.create(path, {"spec": {"expirationSeconds": 3600}})
        user = f"system:serviceaccount:{namespace}:{name}"
        for rule in (*rules, *cluster_rules):
            await _allowed(cluster, user, namespace, rule)
        yield str(made["status"]["token"])
    finally:
        await cluster.delete(f"{RBAC}/clusterrolebindings/{name}")
        await cluster.delete(f"{RBAC}/clusterroles/{name}")


async def _allowed(cluster: Cluster, user: str, namespace: str, rule: Rule) -> None:
    """Wait until the API server knows that the user may do the last thing of the rule."""
    resource, _, subresource = rule["resources"][-1].partition("/")
    asked = {"group": rule["apiGroups"][-1], "resource": resource, "subresource": subresource}
    spec = {"user": user, "resourceAttributes": {**asked, "namespace": namespace, "verb": rule["verbs"][-1]}}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    async with asyncio.timeout(20):
        while not (await cluster.create(path, {"spec": spec}))["status"]["allowed"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def write_kubeconfig(cluster: Cluster, file: Path, token: str) -> Path:
    """A kubeconfig of the same cluster for whoever has this token."""
    authority = cluster.api.configuration.ssl_ca_cert
    there = {"server": cluster.host, "certificate-authority": authority}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": there}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    file.write_text(json.dumps(content))
    return file
