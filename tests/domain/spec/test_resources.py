"""Cores, memory and GPUs: how they are written, and what an experiment asks for in all."""

from typing import Any

import pytest

from app.domain.runs import Amounts, Resources
from tests.domain.spec.specs import kinds, refusal, render, spec

AT = ("config", "environment", "resources")


def resources(**section: object) -> dict[str, object]:
    return spec(environment={"resources": section}, declarations={"n": 2, "half": 0.5})


@pytest.mark.parametrize(
    ("key", "written", "amount"),
    [
        ("cpu", 2, 2),
        ("cpu", 0.5, 0.5),
        ("cpu", "500m", 0.5),
        ("cpu", "2", 2),
        ("cpu", ".5", 0.5),
        ("cpu", "{{ half }}", 0.5),
        ("cpu", "{{ n }}00m", 0.2),
        ("cpu", 0, 0),
        ("memory", 512, 512 * 1024**2),
        ("memory", 0.5, 512 * 1024),
        ("memory", "512", 512 * 1024**2),
        ("memory", "2Gi", 2 * 1024**3),
        ("memory", "1.5Gi", 3 * 1024**3 // 2),
        ("memory", "100Ki", 100 * 1024),
        ("memory", "1M", 1_000_000),
        ("memory", "1k", 1000),
        ("memory", "1Ti", 1024**4),
        ("memory", "{{ n }}Gi", 2 * 1024**3),
        ("memory", "{{ n }}", 2 * 1024**2),
        ("gpu", 2, 2),
        ("gpu", 2.0, 2),
        ("gpu", "{{ n }}", 2),
        ("gpu", "{{ n }}{{ n }}", 22),
    ],
)
def test_amounts_are_read(key: str, written: object, amount: float) -> None:
    [job] = render(resources(**{key: {"requests": written}})).jobs
    read: dict[str, Any] = {key: amount}
    assert job.resources == Resources(requests=Amounts(**read))


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("cpu", "half"),
        ("cpu", "-1"),
        ("cpu", -1),
        ("cpu", "500M"),
        ("cpu", True),
        ("cpu", [1]),
        ("cpu", 1e9),
        ("memory", "2GB"),
        ("memory", "2gi"),
        ("memory", ""),
        ("memory", -1),
        ("memory", "9Ei"),
        ("memory", 1e300),
        ("memory", {}),
        ("gpu", 0.5),
        ("gpu", "1"),
        ("gpu", -1),
        ("gpu", 10_001),
    ],
)
def test_anything_else_is_refused_at_its_place(key: str, written: object) -> None:
    assert set(refusal(resources(**{key: {"limits": written}}))) == {(*AT, key, "limits")}


def test_limits_below_requests_are_refused() -> None:
    section = {"requests": 2, "limits": 1}
    assert kinds(resources(cpu=section, memory=section, gpu=section)) == {
        (*AT, key, "limits"): "limits_below_requests" for key in ("cpu", "memory", "gpu")
    }
    assert kinds(resources(cpu={"requests": "600m", "limits": 0.5})) == {
        (*AT, "cpu", "limits"): "limits_below_requests"
    }
    assert render(resources(cpu={"requests": 1, "limits": 1})).jobs[0].resources.limits.cpu == 1


def test_keys_are_checked() -> None:
    assert kinds(resources(cpu={"request": 1}, tpu={})) == {
        (*AT, "cpu", "request"): "unknown_key",
        (*AT, "tpu"): "unknown_key",
    }


def test_the_experiment_asks_for_what_its_jobs_ask_for_together() -> None:
    rendered = render(
        spec(
            environment={
                "resources": {"cpu": {"requests": 0.1, "limits": 1}, "memory": {"requests": "1Gi"}},
                "pytorch": {
                    "n_workers": 2,
                    "default_worker": {"resources": {"cpu": {"requests": 0.2}, "gpu": {"limits": 1}}},
                },
            }
        )
    )
    assert rendered.resources == {
        "cpu": {"requests": 0.5, "limits": 1},
        "memory": {"requests": 1024, "limits": None},
        "gpu": {"requests": None, "limits": 2},
    }


def test_nothing_asked_for_is_null() -> None:
    assert render(spec(environment={"resources": {}})).resources is None
    assert render(spec(environment={"resources": {"cpu": {}}})).resources is None
