"""Node selectors, affinity and tolerations: the form that Kubernetes has, each mistake with its place."""

import pytest

from app.errors import Location
from tests.domain.spec.specs import refusal, render, spec

AT = ("config", "environment")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
IN_ZONE = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a", "b"]}
POD_TERM = {
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": {
        "matchLabels": {"app": "x"},
        "matchExpressions": [{"key": "tier", "operator": "Exists"}],
    },
    "namespaceSelector": {},
    "namespaces": ["default"],
    "matchLabelKeys": ["a"],
    "mismatchLabelKeys": ["b"],
}
AFFINITY = {
    "nodeAffinity": {
        REQUIRED: {
            "nodeSelectorTerms": [
                {"matchExpressions": [IN_ZONE, {"key": "gpu", "operator": "Gt", "values": ["2"]}]},
                {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]},
            ]
        },
        PREFERRED: [{"weight": 10, "preference": {"matchExpressions": [IN_ZONE]}}],
    },
    "podAffinity": {REQUIRED: [POD_TERM]},
    "podAntiAffinity": {PREFERRED: [{"weight": 100, "podAffinityTerm": POD_TERM}]},
}
TOLERATIONS = [
    {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
    {"operator": "Exists"},
    {"key": "x", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
    {"key": "x", "value": "", "effect": "PreferNoSchedule"},
]


def test_what_kubernetes_takes_is_kept_as_it_was_written() -> None:
    selector = {"disktype": "ssd", "example.com/zone": "a.b-c_1", "empty": ""}
    section = {"node_selector": selector, "affinity": AFFINITY, "tolerations": TOLERATIONS}
    [job] = render(spec(environment=section)).jobs
    assert job.node_selector == selector
    assert job.affinity == AFFINITY
    assert job.tolerations == tuple(TOLERATIONS)


def test_their_texts_are_rendered() -> None:
    [job] = render(spec(declarations={"n": 3}, environment={"node_selector": {"rack": "{{ n }}"}})).jobs
    assert job.node_selector == {"rack": "3"}


@pytest.mark.parametrize(
    ("section", "loc"),
    [
        ({"node_selector": []}, ("node_selector",)),
        ({"node_selector": {"a": 1}}, ("node_selector", "a")),
        ({"node_selector": {"a": True}}, ("node_selector", "a")),
        ({"node_selector": {"a": "b c"}}, ("node_selector", "a")),
        ({"node_selector": {"a": "x" * 64}}, ("node_selector", "a")),
        ({"node_selector": {"-a": "b"}}, ("node_selector", "-a")),
        ({"node_selector": {"Upper/a": "b"}}, ("node_selector", "Upper/a")),
        ({"node_selector": {"": "b"}}, ("node_selector", "")),
        ({"affinity": []}, ("affinity",)),
        ({"affinity": {"node": {}}}, ("affinity", "node")),
        (
            {"affinity": {"nodeAffinity": {REQUIRED: {}}}},
            ("affinity", "nodeAffinity", REQUIRED, "nodeSelectorTerms"),
        ),
        (
            {"affinity": {"nodeAffinity": {PREFERRED: [{"weight": 0, "preference": {}}]}}},
            ("affinity", "nodeAffinity", PREFERRED, 0, "weight"),
        ),
        (
            {"affinity": {"nodeAffinity": {PREFERRED: [{"weight": 1}]}}},
            ("affinity", "nodeAffinity", PREFERRED, 0, "preference"),
        ),
        (
            {"affinity": {"podAffinity": {REQUIRED: [{}]}}},
            ("affinity", "podAffinity", REQUIRED, 0, "topologyKey"),
        ),
        (
            {"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "a", "namespaces": ["Not"]}]}}},
            ("affinity", "podAffinity", REQUIRED, 0, "namespaces", 0),
        ),
        ({"tolerations": {}}, ("tolerations",)),
        ({"tolerations": ["x"]}, ("tolerations", 0)),
        ({"tolerations": [{"operator": "Is"}]}, ("tolerations", 0, "operator")),
        ({"tolerations": [{"value": "x"}]}, ("tolerations", 0, "operator")),
        ({"tolerations": [{"key": "a", "effect": "Never"}]}, ("tolerations", 0, "effect")),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}, ("tolerations", 0, "value")),
        ({"tolerations": [{"key": "a", "tolerationSeconds": 1}]}, ("tolerations", 0, "effect")),
        ({"tolerations": [{"key": "a", "toleration_seconds": 1}]}, ("tolerations", 0, "toleration_seconds")),
    ],
)
def test_a_wrong_form_is_refused_at_its_place(section: dict[str, object], loc: Location) -> None:
    assert (*AT, *loc) in refusal(spec(environment=section))


@pytest.mark.parametrize(
    ("requirement", "key"),
    [
        ({"key": "a"}, "operator"),
        ({"operator": "Exists"}, "key"),
        ({"key": "a", "operator": "Near"}, "operator"),
        ({"key": "a", "operator": "In"}, "values"),
        ({"key": "a", "operator": "NotIn", "values": []}, "values"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, "values"),
        ({"key": "a", "operator": "Gt", "values": ["b"]}, "values"),
        ({"key": "a", "operator": "Lt", "values": ["1", "2"]}, "values"),
        ({"key": "a", "operator": "Lt"}, "values"),
        ({"key": "a", "operator": "In", "values": "b"}, "values"),
    ],
)
def test_a_requirements_parts_have_to_fit(requirement: dict[str, object], key: str) -> None:
    terms = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}}}
    place = (*AT, "affinity", "nodeAffinity", REQUIRED, "nodeSelectorTerms", 0, "matchExpressions", 0, key)
    assert place in refusal(spec(environment={"affinity": terms}))
