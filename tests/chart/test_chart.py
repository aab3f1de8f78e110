"""What the chart makes of its values, as helm, the cluster's API and the service take it."""

import json
import os
import re
import textwrap
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from app.launchers.kubernetes.client import Cluster
from app.settings import Settings
from tests.chart.rendering import (
    CHART,
    EVERYTHING,
    PAGE,
    TRIAL,
    WITHOUT_SECRETS,
    objects,
    of_kind,
    render,
    run,
)
from tests.launchers.kubernetes.conftest import cluster, namespace

__all__ = ["cluster", "namespace"]

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("values", [TRIAL, WITHOUT_SECRETS, EVERYTHING])
def test_the_chart_has_no_lint(values: tuple[str, ...]) -> None:
    result = run("helm", "lint", "--strict", str(CHART), *values)
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
        ((*TRIAL, "--set", "settings.GRCE=1"), "GRCE"),
        ((*TRIAL, "--set", "settings.REGISTRY=images.test"), "REGISTRY"),
        ((*TRIAL, "--set", "image.pullPolicy=Sometimes"), "pullPolicy"),
        ((*TRIAL, "--set", "service.port=0"), "port"),
        ((*TRIAL, "--set", "service.type=Ingress"), "type"),
        ((*TRIAL, "--set", "storage.data.accessModes={ReadOnlyMany}"), "accessModes"),
        ((*TRIAL, "--set", "jobs.buildCpus=-1"), "buildCpus"),
        ((*TRIAL, "--set", "publicUrl=bunsen.test"), "publicUrl"),
        ((*TRIAL, "--set", "pullSecrets=login"), "pullSecrets"),
        ((*TRIAL, "--set", "podDisruptionBudget.enabled=maybe"), "enabled"),
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
    assert (settings.build_cpus, settings.build_memory) == (0.5, 536_870_912)
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")


def test_whatever_has_no_value_of_its_own_is_a_setting_and_nothing_else() -> None:
    """But for what the chart decides, and what is about one machine."""
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["settings"]
    taken = {f"BUNSEN_{name}" for name in schema["propertyNames"]["enum"]}
    decided = next(
        item for item in objects(*EVERYTHING, "--set-json", "settings=null") if item["kind"] == "ConfigMap"
    )
    alone = {f"BUNSEN_{name}" for name in ("CPUS", "MEMORY", "GPUS", "PYTHON", "UIDS", "STOP_JOBS_ON_EXIT")}
    known = {f"BUNSEN_{name.upper()}" for name in Settings.model_fields if name != "database_url"}
    assert taken == known - decided["data"].keys() - alone - {"BUNSEN_ROOT_PASSWORD"}


def test_the_page_names_each_value_and_its_example_is_taken(tmp_path: Path) -> None:
    page = PAGE.read_text()
    for name in YAML(typ="safe").load(CHART / "values.yaml"):
        assert f"`{name}" in page, name
    (example,) = re.findall(r"as `values.yaml`:\n\n((?:    .*\n)+)", page)
    (tmp_path / "values.yaml").write_text(textwrap.dedent(example))
    taken = of_kind("ConfigMap", "--values", str(tmp_path / "values.yaml"))["trial-bunsen"]["data"]
    assert taken["BUNSEN_PUBLIC_URL"] == "https://bunsen.example"
    assert taken["BUNSEN_TRUSTED_PROXIES"] == "10.0.0.0/8"
