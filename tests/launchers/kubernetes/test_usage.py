"""What the cluster's metrics say of a pod (`metrics.k8s.io`), where there are any."""

from typing import Any

import pytest

from app.domain.runs import JobRef
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.quantities import read_quantity
from app.launchers.kubernetes.usage import usage_of
from tests.launchers.kubernetes.seeing import runs, until
from tests.launchers.kubernetes.specs import run_of

REF = JobRef("a" * 32, 1)


def measured(cpu: str, memory: str, name: str = "main") -> dict[str, Any]:
    return {"containers": [{"name": name, "usage": {"cpu": cpu, "memory": memory}}]}


def pod(**limits: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "resources": {"limits": limits} if limits else None}]}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("12345678n", 0.012345678),
        ("2", 2),
        ("64Mi", 64 << 20),
        ("1500Ki", 1500 << 10),
        ("1G", 1e9),
    ],
)
def test_quantities(text: str, number: float) -> None:
    assert read_quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "12Q", "1.2.3"])
def test_what_is_none(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        read_quantity(text)


def test_cores_are_percent_of_one_and_memory_is_bytes() -> None:
    found = usage_of(REF, measured("1500m", "64Mi"), pod(cpu="2", memory="128Mi"))
    assert found is not None
    assert (found.cpu_percentage, found.n_cpus) == (150.0, 2)
    assert (found.memory_used, found.memory_limit) == (64 << 20, 128 << 20)


def test_without_limits() -> None:
    found = usage_of(REF, measured("100m", "1Mi"), pod())
    assert found is not None
    assert (found.n_cpus, found.memory_limit) == (1, None)


@pytest.mark.parametrize("of_it", [measured("?", "1Mi"), measured("1", "1", name="other"), {}])
def test_what_says_nothing_is_left_out(of_it: dict[str, Any]) -> None:
    assert usage_of(REF, of_it, pod()) is None


async def test_a_cluster_without_metrics_gives_none(launcher: KubernetesLauncher) -> None:
    run = run_of("sleep 100")
    await launcher.launch(run)
    await until(launcher, run.jobs[0].ref, runs)
    assert await launcher.usage([run.jobs[0].ref]) == []
