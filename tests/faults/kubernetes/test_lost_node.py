"""A node is lost, its kubelet and its runtime, while its containers go on: `unknown`, and never two pods."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.faults.kubernetes.kube import plain_pod
from tests.faults.kubernetes.pods import PROMPT, WORDS, OnPods, tell, told
from tests.faults.kubernetes.second import AGAIN, MARK, NODE, THERE, Second, begin

pytestmark = pytest.mark.timeout(600)

TIMEOUT = 30.0  # seconds: the settings' node_lost_timeout, shortened
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"BUNSEN_NODE_LOST_TIMEOUT": f"{TIMEOUT:g}"}


def lose(pods: OnPods, second: Second, *ids: int) -> None:
    """Their node is lost, and they are `unknown`."""
    began = datetime.now(UTC)
    second.lose()
    words = f"its node {NODE} does not answer: "
    for id in ids:
        pods.row(id, lambda word, said: word == "unknown" and words in said, 120)
        tell("22", "unknown after its node died", (pods.seen(id, "unknown") - began).total_seconds())


TALKS = (
    'cd "$POLYAXON_RUN_OUTPUTS_PATH"; i=0; until [ -e back ]; do echo line $i; i=$((i+1)); sleep 0.1; done; '
    "echo $i > count; exit 4"
)


def test_22_a_pod_whose_node_comes_back_first_counts(pods: OnPods, second: Second) -> None:
    """One that runs on loses no line. What one printed that ended meanwhile is lost, and a gap says so."""
    talks = begin(pods, second, TALKS)
    ended = begin(pods, second, f"echo it; {told('lost')}; echo more; sleep 2; exit 5")
    for id, text in ((talks, "line 1"), (ended, "it")):
        pods.said(id, text)
    lose(pods, second, talks, ended)
    (pods.outputs(ended) / "lost").touch()
    time.sleep(9)  # in which it ends
    began = datetime.now(UTC)
    second.start()
    (pods.outputs(talks) / "back").touch()
    for id, code in ((ended, 5), (talks, 4)):
        assert pods.end(id) == ("failed", f"failed with exit code {code}")
        moves = [word for word in pods.moves(id) if word != "running"]  # it may be seen to run once more
        assert moves == [*WORDS[:3], "unknown", "failed"]
    tell("22", "the end after its node is started", (pods.seen(ended, "failed") - began).total_seconds())
    first, gap = pods.log(ended)
    assert (first, gap.partition(":")[0]) == ("it", "[gap")
    count = int((pods.outputs(talks) / "count").read_text())
    assert pods.log(talks) == [f"line {n}" for n in range(count)]


def test_13_a_node_that_loses_its_power_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    """What its pod had printed stays; what of that was never read is a gap."""
    id = begin(pods, second, AGAIN.replace("echo it; ", "echo it; echo $(seq 100); "))
    pods.said(id, " 100")
    second.power_off()
    began = datetime.now(UTC)
    second.start()
    assert pods.end(id)[0] == "succeeded", pods.history(id)
    tell("13", "done again after its node is started", (datetime.now(UTC) - began).total_seconds())
    moves = [word for word in pods.moves(id) if word != "unknown"]
    assert moves == [*WORDS[:4], *WORDS[1:]], pods.history(id)
    assert any("infrastructure: " in str(said) for _, said in pods.history(id))
    first, numbers, gap = pods.log(id)
    assert (first, numbers.split()[-1], gap.partition(":")[0]) == ("it", "100", "[gap")
    assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 2


def test_22_a_node_that_does_not_come_back_fails_it_after_the_timeout(pods: OnPods, second: Second) -> None:
    id = begin(pods, second, "echo it; sleep 3600")
    pods.said(id, "it")
    lose(pods, second, id)
    word, said = pods.end(id)
    assert word == "failed"
    assert f"its node {NODE} did not come back within {TIMEOUT:g} s" in said
    waited = (pods.seen(id, "failed") - pods.seen(id, "unknown")).total_seconds()
    tell("22", f"failed after unknown, with a timeout of {TIMEOUT:g} s", waited)
    assert TIMEOUT - 3 < waited < TIMEOUT + PROMPT
    if not second.shortened:  # a minute later: its node is asked for the rest 20 times
        first, gap = pods.log(id)
        assert (first, gap.partition(":")[0]) == ("it", "[gap")
    assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 1


def attempt_after(pods: OnPods, second: Second, certain: Callable[[str], None]) -> int:
    """The next attempt begins only once the end of the first is certain."""
    id = begin(pods, second, AGAIN)
    pods.said(id, "it")
    lose(pods, second, id)
    time.sleep(3)  # nothing is made up meanwhile
    assert pods.status(id) == "unknown"
    began = datetime.now(UTC)
    certain(pods.pod(id))
    assert pods.end(id)[0] == "succeeded", pods.history(id)
    tell("22", "done on another node after it is certain", (datetime.now(UTC) - began).total_seconds())
    assert pods.moves(id) == [*WORDS[:4], "unknown", *WORDS[1:]], pods.history(id)
    assert any("infrastructure: " in str(said) for _, said in pods.history(id))
    assert pods.job(id)["node_scheduled"] == "node-1"
    assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 2
    return id


def test_22_a_node_that_is_out_of_service_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    attempt_after(pods, second, lambda _: second.shut_down())


def test_22_a_pod_whose_object_is_gone_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    """Somebody who knows that it is dead removes it by force, and what keeps it."""

    def gone(name: str) -> None:
        pods.namespace.delete(f"pods/{name}", grace=0)
        pods.namespace.patch(f"pods/{name}", {"metadata": {"finalizers": None}})

    first, gap = pods.log(attempt_after(pods, second, gone))
    assert (first, gap.partition(":")[0]) == ("it", "[gap")


@pytest.mark.slow
def test_22_a_node_that_is_deleted_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    attempt_after(pods, second, lambda _: second.delete())


def test_13_a_preempted_pod_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    """A stranger's pod of a higher priority takes the only GPU of its node."""
    second.start()
    second.has_a_gpu()
    gpu = {"limits": {"nvidia.com/gpu": "1"}}
    id = begin(pods, second, AGAIN, resources={"gpu": {"limits": 1}})
    pods.said(id, "it")
    urgent = pods.namespace.name
    priority = {"metadata": {"name": urgent}, "value": 1000}
    pods.namespace.api.post(f"{PRIORITIES}", json=priority).raise_for_status()
    stranger = plain_pod("urgent")
    stranger["spec"]["containers"][0]["resources"] = gpu
    stranger["spec"] |= {"priorityClassName": urgent, "nodeSelector": {MARK: "yes"}}
    stranger["spec"]["tolerations"] = THERE["tolerations"]
    pods.namespace.create("pods", stranger)
    pods.namespace.api.delete(f"{PRIORITIES}/{urgent}").raise_for_status()
    assert pods.end(id)[0] == "succeeded", pods.history(id)
    assert pods.moves(id) == [*WORDS[:4], *WORDS[1:]], pods.history(id)
    assert any("infrastructure: PreemptionByScheduler: " in str(said) for _, said in pods.history(id))
    assert pods.log(id)[0] == "it"
    pods.namespace.delete("pods/urgent", grace=0)
