"""What the chart makes of its values, as helm and the cluster's API take it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.launchers.kubernetes.client import Cluster
from app.settings import Settings
from tests.launchers.kubernetes.conftest import cluster, namespace, no_cluster

__all__ = ["cluster", "namespace"]

pytestmark = pytest.mark.cluster

CHART = Path(__file__).parents[2] / "deploy" / "chart"
TRIAL = ("--set", "postgres.enabled=true")
EVERYTHING = (
    *TRIAL,
    *("--set", "ingress.enabled=true,ingress.host=bunsen.test,ingress.tlsSecret=tls"),
    *("--set", "networkPolicy.enabled=true,pullSecrets={login},publicUrl=https://bunsen.test"),
    *(
        "--set",
        "registry.repository=images.test:5000/ours,registry.secret=push,registry.insecure={images.test:5000}",
    ),
    *("--set", "registry.url=http://images:5000,jobs.builderImage=images.test:5000/buildah:1"),
    *("--set-json", 'settings={"GRACE":60,"MAX_BODY":10485760,"DATA_VOLUMES":{"mnist":"pvc:mnist"}}'),
)


def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A program of the cluster's tools."""
    if shutil.which(words[0]) is None:
        no_cluster(f"no {words[0]} is in PATH")
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def render(*more: str, namespace: str = "here") -> subprocess.CompletedProcess[str]:
    words = ("helm", "template", "trial", str(CHART), "--namespace", namespace, "--kube-version", "1.34")
    return run(*words, *more)


def objects(*more: str) -> list[dict[str, Any]]:
    result = render(*more)
    assert result.returncode == 0, result.stderr
    return [item for item in YAML(typ="safe").load_all(result.stdout) if item]


def test_the_chart_has_no_lint() -> None:
    result = run("helm", "lint", "--strict", str(CHART), *EVERYTHING)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((), "a database is needed"),
        ((*TRIAL, "--set", "database.url=postgresql://u@h/d"), "name no other in database"),
        (("--set", "database.url=mysql://u@h/d"), "database"),
        ((*TRIAL, "--set", "registry.repository=https://images.test"), "repository"),
        ((*TRIAL, "--set", "api.replica=2"), "replica"),
        ((*TRIAL, "--set", "api.replicas=two"), "replicas"),
        ((*TRIAL, "--set", "user=0"), "user"),
        ((*TRIAL, "--set", "storage.data.hostPath=here"), "hostPath"),
        ((*TRIAL, "--set", "settings.NAMESPACE=other"), "NAMESPACE"),
        ((*TRIAL, "--set", "settings.BUNSEN-GRACE=1"), "BUNSEN-GRACE"),
        ((*TRIAL, "--set", "ingress.enabled=true"), "ingress.host is needed"),
    ],
)
def test_values_that_can_not_be_are_refused_and_named(values: tuple[str, ...], words: str) -> None:
    result = render(*values)
    assert result.returncode != 0
    assert words in result.stderr


def test_the_api_server_takes_every_object(cluster: Cluster, namespace: str) -> None:
    manifest = render(*EVERYTHING, namespace=namespace)
    assert manifest.returncode == 0, manifest.stderr
    apply = ("kubectl", "apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-")
    result = run(*apply, stdin=manifest.stdout)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr.lower()
    assert result.stdout.count("created") == manifest.stdout.count("\nkind: ")


def test_the_settings_are_those_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    config = next(item for item in objects(*EVERYTHING) if item["kind"] == "ConfigMap")
    for name in [name for name in os.environ if name.startswith("BUNSEN_")]:
        monkeypatch.delenv(name)
    for name, value in config["data"].items():
        assert name.removeprefix("BUNSEN_").lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.launcher, settings.namespace, settings.installation) == (
        "kubernetes",
        "here",
        "here.trial",
    )
    assert (settings.outputs.kind, settings.outputs.source) == ("pvc", "trial-bunsen-outputs")
    assert settings.advertise_url == "http://trial-bunsen.here.svc:8000"
    assert settings.data_volumes == {"mnist": "pvc:mnist"}
    assert settings.tensorboard_image == "bunsen:0.1.0"
    assert (settings.registry, settings.registry_secret) == ("images.test:5000/ours", "push")
    assert (settings.registry_url, settings.insecure_registries) == (
        "http://images:5000",
        ("images.test:5000",),
    )
    assert settings.builder_image == "images.test:5000/buildah:1"
    assert (settings.max_body, settings.grace, settings.pull_secrets) == (10_485_760, 60.0, ("login",))


def test_no_pod_but_the_reconcilers_has_an_account_and_none_has_privileges() -> None:
    with_account = set()
    for item in objects(*EVERYTHING):
        spec = item.get("spec", {}).get("template", {}).get("spec")
        if spec is None:
            continue
        if spec.get("automountServiceAccountToken") is not False:
            with_account.add(spec["serviceAccountName"])
        assert spec["enableServiceLinks"] is False
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert with_account == {"trial-bunsen", "trial-bunsen-removal"}


def test_what_selects_pods_tells_of_no_version() -> None:
    for item in objects(*EVERYTHING):
        if item["kind"] in {"Deployment", "StatefulSet"}:
            marks = item["spec"]["template"]["metadata"]["labels"]
            assert marks == item["spec"]["selector"]["matchLabels"]
            assert not any("version" in name or "chart" in name for name in marks)


def test_claims_are_kept_where_values_say_so() -> None:
    def kept(*more: str) -> list[bool]:
        claims = [item for item in objects(*TRIAL, *more) if item["kind"] == "PersistentVolumeClaim"]
        return [
            claim["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
            for claim in claims
        ]

    assert kept() == [False, False]
    assert kept("--set", "storage.keep=true") == [True, True]
    assert kept("--set", "storage.data.claim=mine,storage.outputs.hostPath=/srv/outputs") == []
