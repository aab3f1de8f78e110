"""What is sent to pods' servers through the API server: with the credentials of now, and nowhere else."""

import os
from pathlib import Path

import pytest

from app.launchers.kubernetes.client import Cluster, connect
from app.launchers.kubernetes.servers import ProxiedServers
from app.launchers.servers import JobServers, NoSuchPath, ServerAway
from tests.launchers.kubernetes.accounts import write_kubeconfig

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
