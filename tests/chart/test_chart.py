"""What the chart makes of its values, as helm and the cluster's API take it."""

import json
import os
import re
import shutil
import subprocess
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.domain.runs import RunKind
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.names import COMPONENTS, labels
from app.settings import Settings
from tests.launchers.kubernetes.conftest import cluster, namespace, no_cluster

__all__ = ["cluster", "namespace"]

pytestmark = pytest.mark.cluster

CHART = Path(__file__).parents[2] / "deploy" / "chart"
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "api"}},
}
PAGE = CHART.parents[1] / "docs" / "install-kubernetes.md"
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
    *("--set-json", 'settings.TRUSTED_PROXIES=["10.0.0.0/8","::1"]'),
    *("--set-json", 'extraEnv=[{"name":"HTTPS_PROXY","value":"http://proxy.test"}]'),
    *("--set-json", 'extraEnvFrom=[{"secretRef":{"name":"more"}}]'),
    *("--set", "podAnnotations.a=b,podLabels.team=lab,serviceAccount.annotations.a=b"),
    *("--set", "api.priorityClassName=high,api.nodeSelector.disk=fast,migration.nodeSelector.disk=fast"),
    *("--set-json", f"api.topologySpreadConstraints=[{json.dumps(SPREAD)}]"),
)
WITHOUT_SECRETS = ("--set", "database.existingSecret=db,rootPassword.existingSecret=first")


def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A program of the cluster's tools."""
    if shutil.which(words[0]) is None:
        no_cluster(f"no {words[0]} is in PATH")
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def render(*more: str, namespace: str = "here") -> subprocess.CompletedProcess[str]:
    words = ("helm", "template", "trial", str(CHART), "--namespace", namespace, "--kube-version", "1.34")
    return run(*words, *more)


@cache
def objects(*more: str) -> tuple[dict[str, Any], ...]:
    result = render(*more)
    assert result.returncode == 0, result.stderr
    return tuple(item for item in YAML(typ="safe").load_all(result.stdout) if item)


def of_kind(kind: str, *more: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in objects(*more) if item["kind"] == kind}


def pod_specs(*more: str) -> dict[str, dict[str, Any]]:
    """By the name of what makes the pods."""
    made = {
        item["metadata"]["name"]: item["spec"].get("template") for item in objects(*more) if "spec" in item
    }
    return {name: template["spec"] for name, template in made.items() if template is not None}


def containers_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


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


def test_no_pod_but_the_reconcilers_has_an_account_and_none_has_privileges() -> None:
    with_account = set()
    for item in objects(*EVERYTHING):
        spec = item.get("spec", {}).get("template", {}).get("spec")
        if spec is None:
            continue
        if spec.get("automountServiceAccountToken") is not False:
            with_account.add(spec["serviceAccountName"])
        assert spec["enableServiceLinks"] is False
        for container in containers_of(spec):
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert with_account == {"trial-bunsen", "trial-bunsen-removal"}


def test_what_selects_pods_tells_of_no_version() -> None:
    for item in objects(*EVERYTHING):
        if item["kind"] in {"Deployment", "StatefulSet"}:
            marks = item["spec"]["template"]["metadata"]["labels"]
            assert marks.items() - {("team", "lab")} == item["spec"]["selector"]["matchLabels"].items()
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


def test_every_container_says_what_it_needs_and_whether_it_is_well() -> None:
    """Clusters with quotas take no other. The service's own can write nowhere but to its volumes."""
    for name, spec in pod_specs(*EVERYTHING).items():
        for container in containers_of(spec):
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert container["resources"]["limits"].keys() == {"memory"}, name
            if name == "trial-bunsen-postgres":
                continue
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert spec["securityContext"]["runAsNonRoot"] is True
            if name in {"trial-bunsen-api", "trial-bunsen-reconciler"} and container in spec["containers"]:
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_what_is_added_to_the_services_pods_is_there() -> None:
    specs = pod_specs(*EVERYTHING)
    for name in ("trial-bunsen-api", "trial-bunsen-reconciler"):
        (container,) = specs[name]["containers"]
        assert {"name": "HTTPS_PROXY", "value": "http://proxy.test"} in container["env"]
        assert {"secretRef": {"name": "more"}} in container["envFrom"]
    for name, spec in specs.items():
        assert spec["imagePullSecrets"] == [{"name": "login"}], name
    api = specs["trial-bunsen-api"]
    assert (api["priorityClassName"], api["topologySpreadConstraints"]) == ("high", [SPREAD])
    on_fast = {name for name, spec in specs.items() if spec.get("nodeSelector") == {"disk": "fast"}}
    assert {name.removeprefix("trial-bunsen-").partition("-")[0] for name in on_fast} == {
        "api",
        "migrate",
        "removal",
    }


def test_secrets_that_exist_are_used_and_none_is_made() -> None:
    keys = ("--set", "database.existingSecretKey=dsn,rootPassword.existingSecretKey=word")
    assert of_kind("Secret", *WITHOUT_SECRETS) == {}
    named = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for spec in pod_specs(*WITHOUT_SECRETS, *keys).values()
        for container in containers_of(spec)
        for variable in container.get("env", ())
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    assert named == {
        "DATABASE_URL": {"name": "db", "key": "dsn"},
        "BUNSEN_ROOT_PASSWORD": {"name": "first", "key": "word"},
    }


def test_an_account_that_exists_gets_the_rights() -> None:
    given = ("--set", "serviceAccount.create=false,serviceAccount.name=mine")
    assert set(of_kind("ServiceAccount", *TRIAL, *given)) == {"trial-bunsen-removal"}
    assert pod_specs(*TRIAL, *given)["trial-bunsen-reconciler"]["serviceAccountName"] == "mine"
    bindings = of_kind("RoleBinding", *TRIAL, *given) | of_kind("ClusterRoleBinding", *TRIAL, *given)
    subjects = {
        name: binding["subjects"][0]["name"] for name, binding in bindings.items() if "removal" not in name
    }
    assert subjects == {"here.trial": "mine", "bunsen:here.trial": "mine"}


def test_nothing_is_open_to_the_outside_unless_values_say_so() -> None:
    assert of_kind("Ingress", *TRIAL) == {}
    assert {
        item["spec"]["type"] for item in of_kind("Service", *TRIAL).values() if "type" in item["spec"]
    } == {"ClusterIP"}
    host = ("--set", "ingress.enabled=true,ingress.host=lab.test")
    for tls, url in (((), "http://lab.test"), (("--set", "ingress.tlsSecret=tls"), "https://lab.test")):
        config = of_kind("ConfigMap", *TRIAL, *host, *tls)["trial-bunsen"]
        assert config["data"]["BUNSEN_PUBLIC_URL"] == url


def test_one_pod_of_several_may_be_evicted_at_a_time() -> None:
    budgets = of_kind("PodDisruptionBudget", *TRIAL)
    deployments = of_kind("Deployment", *TRIAL)
    assert budgets.keys() == deployments.keys()
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["selector"] == deployments[name]["spec"]["selector"]
    one = ("--set", "api.replicas=1")
    assert set(of_kind("PodDisruptionBudget", *TRIAL, *one)) == {"trial-bunsen-reconciler"}
    assert of_kind("PodDisruptionBudget", *TRIAL, "--set", "podDisruptionBudget.enabled=false") == {}


def test_network_policies_are_about_the_pods_that_there_are() -> None:
    assert of_kind("NetworkPolicy", *TRIAL) == {}
    policies = of_kind("NetworkPolicy", *EVERYTHING)
    job = labels("here.trial", COMPONENTS[RunKind.EXPERIMENT])
    selected = policies["here.trial-jobs"]["spec"]["podSelector"]["matchLabels"]
    assert selected.items() <= job.items()
    makers = of_kind("Deployment", *EVERYTHING) | of_kind("StatefulSet", *EVERYTHING)
    pods = [item["spec"]["template"]["metadata"]["labels"] for item in makers.values()]
    found = {
        name: {
            marks["app.kubernetes.io/component"]
            for marks in pods
            if selects(policy["spec"]["podSelector"], marks)
        }
        for name, policy in policies.items()
    }
    assert found == {
        "trial-bunsen-service": {"api", "reconciler"},
        "trial-bunsen-postgres": {"postgres"},
        "here.trial-jobs": set(),
    }


def selects(selector: dict[str, Any], marks: dict[str, str]) -> bool:
    """Whether a label selector, as the chart's policies have them, selects these labels."""
    wanted = selector.get("matchLabels", {}).items() <= marks.items()
    return wanted and all(
        marks.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )


def test_the_page_names_each_value_and_its_example_is_taken(tmp_path: Path) -> None:
    page = PAGE.read_text()
    for name in YAML(typ="safe").load(CHART / "values.yaml"):
        assert f"`{name}" in page, name
    (example,) = re.findall(r"as `values.yaml`:\n\n((?:    .*\n)+)", page)
    (tmp_path / "values.yaml").write_text(textwrap.dedent(example))
    taken = of_kind("ConfigMap", "--values", str(tmp_path / "values.yaml"))["trial-bunsen"]["data"]
    assert taken["BUNSEN_PUBLIC_URL"] == "https://bunsen.example"
    assert taken["BUNSEN_TRUSTED_PROXIES"] == "10.0.0.0/8"
