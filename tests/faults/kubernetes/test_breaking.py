"""The cluster's own parts die and come back: what runs goes on, what ended stays, logs are whole."""

import time
from datetime import UTC, datetime

import pytest

from tests.faults.cast import numbered
from tests.faults.kubernetes.kit import Kit, kit_here
from tests.faults.kubernetes.kube import until
from tests.faults.kubernetes.pods import RECOVERY, WORDS, OnPods, reported, tell, told

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def kit() -> Kit:
    return kit_here()


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """Its kubelet tries again after 10 s what it could not do without the runtime."""
    return environment | {"BUNSEN_PULL_GRACE": "60"}


def lives_through(kit: Kit, pods: OnPods, row: str, part: str, seconds: float) -> None:
    """The part is away for so long, while one experiment is done, one runs, one ends, and one is new."""
    done, talks = pods.create("echo it; exit 3"), pods.create(numbered(150, 0.1))
    ends = pods.create(f'echo early; {told("go")}; echo late; touch "$POLYAXON_RUN_OUTPUTS_PATH/done"')
    assert pods.end(done) == ("failed", "failed with exit code 3")
    pods.said(talks, "line 3")
    pods.said(ends, "early")
    outputs = pods.outputs(ends)
    before = pods.history(done)
    with kit.alone("cluster"):
        kit.kill(part)
        new = pods.create("echo new")
        (outputs / "go").touch()
        until((outputs / "done").exists)
        time.sleep(seconds)  # how long it is away is what is tried
        kit.up()
    back = datetime.now(UTC)
    for id, lines in ((new, ["new"]), (talks, [f"line {n}" for n in range(150)])):
        assert pods.end(id)[0] == "succeeded", pods.history(id)
        assert pods.moves(id) == WORDS, pods.history(id)
        assert pods.log(id) == lines
        assert len(pods.namespace.uids(pods.job(id)["uuid"].replace("-", ""))) == 1
    assert pods.end(ends)[0] == "succeeded"
    early, late = pods.log(ends)
    # What it printed at its end lay in the pipes of the runtime: they go with it, and that is told.
    assert (early, late.partition(":")[0]) == ("early", "[gap" if part == "containerd-1" else "late")
    name = pods.pod(new)
    made = pods.namespace.first(lambda seen: seen.name == name).pod["metadata"]["creationTimestamp"]
    created = (reported(made) - back).total_seconds()
    tell(row, f"a new one's pod is created after {part} is back", created)
    tell(row, f"a new one is done after {part} is back", (pods.seen(new, "succeeded") - back).total_seconds())
    assert created < RECOVERY
    assert pods.lag(new, row) < RECOVERY
    assert pods.history(done) == before
    assert pods.log(done) == ["it"]


@pytest.mark.parametrize("part", ["kubelet-1", "containerd-1"])
def test_23_what_runs_on_a_node_goes_on_when_its_parts_restart(kit: Kit, pods: OnPods, part: str) -> None:
    lives_through(kit, pods, "23", part, 1.0)


@pytest.mark.slow
def test_19_an_api_server_that_is_killed_fails_nothing(kit: Kit, pods: OnPods) -> None:
    lives_through(kit, pods, "19", "kube-apiserver", 10.0)
