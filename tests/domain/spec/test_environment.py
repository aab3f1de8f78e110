"""Volumes, secrets, configmaps and others' outputs: names that the settings or the database must know."""

import pytest

from app.domain.spec.rendered import Allowed
from tests.domain.spec.specs import kinds, refusal, render, spec

ALLOWED = Allowed(
    data_volumes=("images", "texts"),
    outputs_volumes=("fast", "large"),
    secrets=("aws", "hub"),
    configmaps=("proxy",),
)
AT = ("config", "environment")


def environment(**section: object) -> dict[str, object]:
    return spec(environment=section)


def test_none_named_means_all_data_volumes_and_the_first_outputs_volume() -> None:
    sections: list[dict[str, object]] = [{}, {"persistence": {}}, {"persistence": {"data": []}}]
    for section in sections:
        rendered = render(environment(**section), allowed=ALLOWED)
        assert rendered.data_volumes == ("images", "texts")
        assert rendered.outputs_volume == "fast"
    assert render(spec()).data_volumes == ()
    assert render(spec()).outputs_volume is None


def test_named_ones_are_taken_each_once() -> None:
    section = {"data": ["texts", "texts"], "outputs": "large"}
    rendered = render(environment(persistence=section), allowed=ALLOWED)
    assert rendered.data_volumes == ("texts",)
    assert rendered.outputs_volume == "large"


def test_secrets_and_configmaps_are_those_that_the_settings_have() -> None:
    rendered = render(environment(secret_refs=["hub", "hub"], configmap_refs=["proxy"]), allowed=ALLOWED)
    assert rendered.secret_refs == ("hub",)
    assert rendered.configmap_refs == ("proxy",)


def test_unknown_names_are_told_with_those_there_are() -> None:
    config = environment(
        persistence={"data": ["image"], "outputs": "slow"}, secret_refs=["gcp"], configmap_refs=["proxy", "x"]
    )
    images = "there is no data volume 'image'; there are: images, texts. Did you mean images?"
    assert refusal(config, allowed=ALLOWED) == {
        (*AT, "persistence", "data", 0): images,
        (*AT, "persistence", "outputs"): "there is no outputs volume 'slow'; there are: fast, large",
        (*AT, "secret_refs", 0): "there is no secret 'gcp'; there are: aws, hub",
        (*AT, "configmap_refs", 1): "there is no configmap 'x'; there are: proxy",
    }
    assert "there are: none" in next(iter(refusal(environment(secret_refs=["gcp"])).values()))


def test_at_launch_names_that_the_settings_lost_are_kept() -> None:
    config = environment(persistence={"data": ["old"], "outputs": "old"}, secret_refs=["old"])
    rendered = render(config, allowed=Allowed(data_volumes=("new",), enforced=False))
    assert (rendered.data_volumes, rendered.outputs_volume, rendered.secret_refs) == (
        ("old",),
        "old",
        ("old",),
    )


@pytest.mark.parametrize(
    "section",
    [
        {"persistence": []},
        {"persistence": {"data": "images"}},
        {"persistence": {"data": [1]}},
        {"persistence": {"outputs": ["fast"]}},
        {"persistence": {"logs": "x"}},
        {"secret_refs": "aws"},
        {"secret_refs": [{"name": "aws"}]},
        {"configmap_refs": {}},
        {"outputs": []},
        {"outputs": {"jobs": [1]}},
        {"outputs": {"experiments": 1}},
    ],
)
def test_wrong_forms_are_refused(section: dict[str, object]) -> None:
    assert set(kinds(environment(**section), allowed=ALLOWED).values()) <= {"type_error", "unknown_key"}


def test_other_experiments_are_named_four_ways_and_keep_their_order() -> None:
    named = [12, "name", "project/name", "user/project/name", "{{ experiment.id }}", 12]
    rendered = render(environment(outputs={"experiments": named}))
    assert rendered.references == (12, "name", "project/name", "user/project/name", 7, 12)


@pytest.mark.parametrize(
    "reference", [0, -1, 2**63, 10**19, 1.5, True, "", "a/b/c/d", "a b", "../x", "a//b", "x" * 129]
)
def test_other_references_are_refused(reference: object) -> None:
    assert set(refusal(environment(outputs={"experiments": [3, reference]}))) == {
        (*AT, "outputs", "experiments", 1)
    }


def test_at_most_a_hundred_are_named() -> None:
    assert kinds(environment(outputs={"experiments": [*range(1, 102)]})) == {
        (*AT, "outputs", "experiments"): "too_long"
    }
