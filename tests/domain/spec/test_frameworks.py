"""Distributed experiments: which jobs there are, and what each of them gets."""

import pytest

from app.domain.lifecycle import Role
from app.domain.spec.rendered import Allowed
from app.errors import Location
from tests.domain.spec.specs import kinds, refusal, render, spec


def environment(**section: object) -> dict[str, object]:
    return spec(environment=section, declarations={"n": 2})


def gpus(count: int) -> dict[str, object]:
    return {"gpu": {"limits": count}}


@pytest.mark.parametrize(
    ("framework", "section", "roles"),
    [
        ("tensorflow", {}, []),
        ("tensorflow", {"n_workers": 2, "n_ps": 1}, [("worker", 0), ("worker", 1), ("ps", 0)]),
        ("pytorch", {"n_workers": 1}, [("worker", 0)]),
        ("mxnet", {"n_workers": 1, "n_ps": 2}, [("worker", 0), ("server", 0), ("server", 1)]),
        ("horovod", {"n_workers": "{{ n }}"}, [("worker", 0), ("worker", 1)]),
    ],
)
def test_a_master_stands_before_the_frameworks_roles(
    framework: str, section: object, roles: list[tuple[str, int]]
) -> None:
    rendered = render(environment(**{framework: section}))
    assert rendered.framework == framework
    assert [(job.role.value, job.index) for job in rendered.jobs] == [("master", 0), *roles]


def test_without_a_framework_there_is_the_master_alone() -> None:
    rendered = render(spec())
    assert rendered.framework is None
    assert [job.role for job in rendered.jobs] == [Role.MASTER]


def test_an_entry_replaces_each_property_of_the_default_whole() -> None:
    rendered = render(
        environment(
            resources=gpus(7),
            node_selector={"a": "master"},
            tensorflow={
                "n_workers": 3,
                "n_ps": 1,
                "default_worker": {
                    "resources": {"cpu": {"limits": 1}, "gpu": {"limits": 1}},
                    "node_selector": {"a": "default"},
                    "tolerations": [{"operator": "Exists"}],
                },
                "worker": [{"index": 2, "resources": gpus(2)}, {"index": 0, "node_selector": {"b": "own"}}],
                "ps": [{"index": 0, "tolerations": [{"key": "x", "operator": "Exists"}]}],
            },
        )
    )
    master, first, second, third, ps = rendered.jobs
    assert (master.resources.limits.gpu, master.node_selector) == (7, {"a": "master"})
    assert (first.resources.limits.gpu, first.node_selector) == (1, {"b": "own"})
    assert (second.resources.limits.gpu, second.node_selector) == (1, {"a": "default"})
    assert (third.resources.limits.gpu, third.resources.limits.cpu) == (2, None)
    assert third.tolerations == ({"operator": "Exists"},)
    assert (ps.resources.limits.gpu, ps.node_selector) == (None, {})
    assert ps.tolerations == ({"key": "x", "operator": "Exists"},)


def test_old_keys_without_effect_are_taken() -> None:
    rendered = render(
        environment(
            cluster_uuid="x",
            tensorflow={
                "n_workers": 1,
                "delay_workers_by_global_step": True,
                "run_config": {"save_summary_steps": 100, "anything": {}},
                "default_worker": {"config": {"a": 1}},
                "worker": [{"index": 0, "config": {}}],
            },
        )
    )
    assert len(rendered.jobs) == 2


@pytest.mark.parametrize(
    ("section", "places"),
    [
        (
            {"tensorflow": {}, "pytorch": {}, "mxnet": {}},
            {("pytorch",): "several_frameworks", ("mxnet",): "several_frameworks"},
        ),
        (
            {"tensorflow": {}, "pytorch": {"n_ps": 1}},
            {("pytorch",): "several_frameworks", ("pytorch", "n_ps"): "unknown_key"},
        ),
        ({"pytorch": {"n_ps": 1}}, {("pytorch", "n_ps"): "unknown_key"}),
        ({"horovod": {"ps": []}}, {("horovod", "ps"): "unknown_key"}),
        ({"pytorch": {"run_config": {}}}, {("pytorch", "run_config"): "unknown_key"}),
        (
            {"mxnet": {"default_worker": {"config": {}}}},
            {("mxnet", "default_worker", "config"): "unknown_key"},
        ),
        ({"pytorch": {"n_workers": "2"}}, {("pytorch", "n_workers"): "type_error"}),
        ({"pytorch": {"n_workers": -1}}, {("pytorch", "n_workers"): "out_of_range"}),
        ({"pytorch": {"n_workers": 1.5}}, {("pytorch", "n_workers"): "type_error"}),
        ({"pytorch": []}, {("pytorch",): "type_error"}),
        ({"pytorch": {"n_workers": 1, "worker": {}}}, {("pytorch", "worker"): "type_error"}),
        ({"pytorch": {"n_workers": 1, "worker": [{}]}}, {("pytorch", "worker", 0, "index"): "missing"}),
        (
            {"pytorch": {"n_workers": 1, "worker": [{"index": 1}]}},
            {("pytorch", "worker", 0, "index"): "no_such_index"},
        ),
        (
            {"pytorch": {"n_workers": 1, "worker": [{"index": -1}]}},
            {("pytorch", "worker", 0, "index"): "out_of_range"},
        ),
        ({"pytorch": {"worker": [{"index": 0}]}}, {("pytorch", "worker", 0, "index"): "no_such_index"}),
        (
            {"tensorflow": {"n_ps": 1, "ps": [{"index": 0}, {"index": 0}]}},
            {("tensorflow", "ps", 1, "index"): "duplicate_index"},
        ),
        (
            {"pytorch": {"n_workers": 1, "worker": [{"index": 0, "resources": {"cpu": {"limits": "x"}}}]}},
            {("pytorch", "worker", 0, "resources", "cpu", "limits"): "quantity"},
        ),
        (
            {"pytorch": {"default_worker": {"resources": {"cpu": {"limits": "x"}}}}},
            {("pytorch", "default_worker", "resources", "cpu", "limits"): "quantity"},
        ),
    ],
)
def test_mistakes_have_their_places(section: dict[str, object], places: dict[Location, str]) -> None:
    assert kinds(environment(**section)) == {
        ("config", "environment", *loc): kind for loc, kind in places.items()
    }


def test_the_settings_bound_the_number_of_jobs() -> None:
    config = environment(tensorflow={"n_workers": 3, "n_ps": 1})
    assert len(render(config, allowed=Allowed(max_jobs=5)).jobs) == 5
    told = refusal(config, allowed=Allowed(max_jobs=4))
    assert told == {
        (
            "config",
            "environment",
            "tensorflow",
            "n_workers",
        ): "an experiment may have 4 jobs, its master included"
    }
    assert len(render(environment(pytorch={"n_workers": 999})).jobs) == 1000
    assert kinds(environment(pytorch={"n_workers": 1000})).popitem()[1] == "too_many_jobs"


def test_at_launch_a_lowered_bound_does_not_matter() -> None:
    config = environment(pytorch={"n_workers": 3})
    assert len(render(config, allowed=Allowed(max_jobs=1, enforced=False)).jobs) == 4
