"""The service's own account in a cluster, whose rights and token a test takes away."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.faults.kubernetes.kube import Namespace

RBAC = "/apis/rbac.authorization.k8s.io/v1"
RIGHTS = Path(__file__).parents[3] / "deploy" / "chart" / "templates" / "rights.yaml"


def rights(kind: str) -> list[dict[str, Any]]:
    """The rules of the chart's Role or ClusterRole: nothing in them is a template."""
    (part,) = [part for part in RIGHTS.read_text().split("---\n") if f"\nkind: {kind}\n" in part]
    rules: list[dict[str, Any]] = YAML(typ="safe").load(part[part.index("\nrules:") :])["rules"]
    return rules


class Account:
    """The service's own account in the cluster, with the rights that the chart gives it."""

    def __init__(self, namespace: Namespace, token: Path) -> None:
        self._namespace = namespace
        self._token = token
        self._role = {"apiGroup": "rbac.authorization.k8s.io", "name": namespace.name}
        self._subject = {"kind": "ServiceAccount", "name": "bunsen", "namespace": namespace.name}

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._namespace.api.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def create(self) -> None:
        meta = {"metadata": {"name": self._namespace.name}}
        self._post(f"{RBAC}/namespaces/{self._namespace.name}/roles", meta | {"rules": rights("Role")})
        self._post(f"{RBAC}/clusterroles", meta | {"rules": rights("ClusterRole")})
        role = {"roleRef": self._role | {"kind": "ClusterRole"}, "subjects": [self._subject]}
        self._post(f"{RBAC}/clusterrolebindings", meta | role)
        self.allow()

    def allow(self) -> None:
        body = {"metadata": {"name": "bunsen"}, "roleRef": self._role | {"kind": "Role"}}
        path = f"{RBAC}/namespaces/{self._namespace.name}/rolebindings"
        self._post(path, body | {"subjects": [self._subject]})

    def revoke(self) -> None:
        path = f"{RBAC}/namespaces/{self._namespace.name}/rolebindings/bunsen"
        self._namespace.api.delete(path).raise_for_status()

    def renew(self) -> str:
        """A new account of the same name: what the old one's tokens open is closed. Gives a token."""
        self._namespace.delete("serviceaccounts/bunsen")
        self._namespace.create("serviceaccounts", {"metadata": {"name": "bunsen"}})
        made = self._namespace.create("serviceaccounts/bunsen/token", {"spec": {"expirationSeconds": 3600}})
        return str(made["status"]["token"])

    def store(self, token: str) -> None:
        self._token.write_text(token)

    def remove(self) -> None:
        for kind in ("clusterroles", "clusterrolebindings"):
            self._namespace.api.delete(f"{RBAC}/{kind}/{self._namespace.name}")
