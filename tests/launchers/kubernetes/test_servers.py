"""What is sent to pods' servers through the API server: with the credentials of now, and nowhere else."""

import os
from pathlib import Path

import pytest

from app.launchers.kubernetes.client import Cluster, connect
from app.launchers.kubernetes.servers import ProxiedServers
from app.launchers.servers import JobServers, NoSuchPath, ServerAway
from tests.launchers.kubernetes.accounts import account, write_kubeconfig

NOBODY = "/api/v1/namespaces/default/services/nobody:1/proxy"


async def test_credentials_that_are_refused_are_read_again(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a dead token to a client certificate."""
    real = Path(os.environ["KUBECONFIG"]).read_text()
    kubeconfig = write_kubeconfig(cluster, tmp_path / "kubeconfig", "dead")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr("app.launchers.kubernetes.client.RENEW", 0.0)
    servers = ProxiedServers(await connect())
    try:
        assert (await servers.send(NOBODY, "GET", b"/", {})).status_code == 401
        kubeconfig.write_text(real)
        assert (await servers.send(NOBODY, "GET", b"/", {})).status_code == 404
    finally:
        await servers.close()


async def test_each_method_needs_the_right_that_the_docs_name(
    cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/v1/namespaces/{namespace}/services/nobody:1/proxy"
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    for verb, expected in (("get", [404, 404, 403]), ("create", [403, 403, 404])):
        rule = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": [verb]}
        async with account(cluster, namespace, [rule]) as token:
            write_kubeconfig(cluster, tmp_path / "kubeconfig", token)
            servers = ProxiedServers(await connect())
            answers = [await servers.send(address, method, b"/", {}) for method in ("GET", "HEAD", "POST")]
            await servers.close()
        assert [answer.status_code for answer in answers] == expected


async def test_nobody_borrows_the_rights_of_the_service(cluster: Cluster) -> None:
    """A header could have the API server act as somebody else: that one may not even look."""
    servers = ProxiedServers(await connect())
    try:
        headers = {"Impersonate-User": "nobody", "X-Remote-User": "nobody", "Accept": "*/*"}
        assert (await servers.send(NOBODY, "GET", b"/", headers)).status_code == 404
    finally:
        await servers.close()


@pytest.mark.parametrize(
    "path", [b"/../x", b"/a/..", b"/./x", b"/%2e%2e/x", b"/a%2f..%2fb", b"/a\\..\\b", b"x", b"/a/..?q=1"]
)
async def test_no_path_leads_away_from_the_server(cluster: Cluster, path: bytes) -> None:
    servers = ProxiedServers(await connect())
    try:
        with pytest.raises(NoSuchPath):
            await servers.send(NOBODY, "POST", path, {}, b"{}")
        assert (await servers.send(NOBODY, "GET", b"/a..b/c.js?d=/../e", {})).status_code == 404
    finally:
        await servers.close()


async def test_a_cluster_that_is_not_configured_is_a_server_that_is_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    servers = JobServers()
    with pytest.raises(ServerAway, match="No cluster is configured"):
        await servers.send(NOBODY, "GET", b"/", {})
    await servers.close()
