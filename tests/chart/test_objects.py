"""The chart's objects: who may do what, is well, may be reached or evicted; what is used of what exists."""

from typing import Any

import pytest

from app.domain.runs import RunKind
from app.launchers.kubernetes.names import COMPONENTS, labels
from tests.chart.rendering import (
    EVERYTHING,
    SPREAD,
    TRIAL,
    WITHOUT_SECRETS,
    containers_of,
    objects,
    of_kind,
    pod_specs,
)

pytestmark = pytest.mark.cluster


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
