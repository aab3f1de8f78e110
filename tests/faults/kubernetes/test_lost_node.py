"""A node is lost with its kubelet and its runtime, while its containers go on: `unknown`, and never two pods.

The second node is this module's own: it takes nobody's pods but those that tolerate it.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.cast import numbered
from tests.faults.kubernetes.kit import Kit, kit_here
from tests.faults.kubernetes.kube import Namespace, plain_pod, until
from tests.faults.kubernetes.pods import PROMPT, WORDS, OnPods, tell

pytestmark = pytest.mark.timeout(600)

NODE, MARK = "node-2", "bunsen.test/second"
TIMEOUT = 30.0  # seconds: the settings' node_lost_timeout, shortened
PREFERS = {"weight": 100, "preference": {"matchExpressions": [{"key": MARK, "operator": "Exists"}]}}
THERE = {
    "tolerations": [{"key": MARK, "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [PREFERS]}},
}
AGAIN = 'S="$POLYAXON_RUN_OUTPUTS_PATH/second"; [ -e "$S" ] && exit 0; touch "$S"; echo it; sleep 3600'
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
STRATEGIC, MERGE = "strategic-merge-patch", "merge-patch"


class Second:
    """The second node. `shortened`: the API hears at once that it is lost; else the node controller says so,
    50 s after it was heard of last."""

    def __init__(self, kit: Kit, namespace: Namespace, *, shortened: bool) -> None:
        self._kit = kit
        self._api = namespace.api
        self.shortened = shortened

    def start(self) -> None:
        """Known before its kubelet comes, so that nobody's pods are put there."""
        taint = {"key": MARK, "value": "yes", "effect": "NoSchedule"}
        labels = {MARK: "yes", "kubernetes.io/hostname": NODE}
        node = {"metadata": {"name": NODE, "labels": labels}, "spec": {"taints": [taint]}}
        made = self._api.post("/api/v1/nodes", json=node)
        assert made.status_code in {201, 409}, made.text
        if made.status_code == 409:
            self._patch("", {"spec": {"taints": [taint]}}, MERGE)
        self._kit.up(nodes=2)

    def lose(self) -> None:
        self._kit.kill("kubelet-2", "containerd-2")
        if self.shortened:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            words = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
            lost = {"type": "Ready", "status": "Unknown", "lastTransitionTime": now, **words}
            self._patch("/status", {"status": {"conditions": [lost]}})

    def has_a_gpu(self) -> None:
        """One that is only a number, which the scheduler counts once the kubelet has told of it."""
        self._patch("/status", {"status": {"capacity": {"nvidia.com/gpu": "1"}}})

        def is_told() -> bool:
            status = self._api.get(f"/api/v1/nodes/{NODE}").json()["status"]
            return bool(status.get("allocatable", {}).get("nvidia.com/gpu") == "1")

        until(is_told, 60)

    def shut_down(self) -> None:
        """An administrator says that it is out of service: nothing of it runs."""
        key = "node.kubernetes.io/out-of-service"
        taint = {"key": key, "value": "nodeshutdown", "effect": "NoExecute"}
        self._patch("", {"spec": {"taints": [taint]}})

    def delete(self) -> None:
        self._api.delete(f"/api/v1/nodes/{NODE}")

    def end(self) -> None:
        self._kit.kill("kubelet-2", "containerd-2")
        self.delete()

    def _patch(self, below: str, body: dict[str, Any], kind: str = STRATEGIC) -> None:
        headers = {"Content-Type": f"application/{kind}+json"}
        answer = self._api.patch(f"/api/v1/nodes/{NODE}{below}", content=json.dumps(body), headers=headers)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"BUNSEN_NODE_LOST_TIMEOUT": f"{TIMEOUT:g}"}


@pytest.fixture(
    scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["told", "full"]
)
def second(request: pytest.FixtureRequest, namespace: Namespace, pods: OnPods) -> Iterator[Second]:
    kit = kit_here()
    with kit.alone(NODE):
        second = Second(kit, namespace, shortened=request.param)
        try:
            yield second
        finally:
            second.start()  # so that its kubelet takes away what is left on it
            for pod in namespace.pods():
                if pod["spec"].get("nodeName") == NODE:
                    name = pod["metadata"]["name"]
                    namespace.patch(f"pods/{name}", {"metadata": {"finalizers": None}})
                    namespace.delete(f"pods/{name}", grace=1)
            until(lambda: all(pod["spec"].get("nodeName") != NODE for pod in namespace.pods()), 60)
            second.end()


def begin(pods: OnPods, second: Second, cmd: str, **more: Any) -> int:
    """An experiment that runs on the second node; `more` is of its environment."""
    second.start()
    id = pods.create(cmd, environment=THERE | more, termination={"max_retries": 0})
    pods.wait(id, {"running"})
    assert pods.job(id)["node_scheduled"] == NODE
    return id


def lose(pods: OnPods, second: Second, *ids: int) -> None:
    """Their node is lost, and they are `unknown`."""
    began = datetime.now(UTC)
    second.lose()
    words = f"its node {NODE} does not answer: "
    for id in ids:
        pods.row(id, lambda word, said: word == "unknown" and words in said, 120)
        tell("22", "unknown after its node died", (pods.seen(id, "unknown") - began).total_seconds())


def test_22_a_pod_whose_node_comes_back_first_counts(pods: OnPods, second: Second) -> None:
    """One that runs then, and one that ended meanwhile. What this one printed, its runtime may have lost."""
    lines = 150 if second.shortened else 900
    talks = begin(pods, second, f"{numbered(lines, 0.1)}; exit 4")
    ended = begin(pods, second, "echo it; sleep 5; exit 5")
    for id, text in ((talks, "line 1"), (ended, "it")):
        pods.said(id, text)
    lose(pods, second, talks, ended)
    time.sleep(5)  # in which one ends
    began = datetime.now(UTC)
    second.start()
    for id, code in ((ended, 5), (talks, 4)):
        assert pods.end(id) == ("failed", f"failed with exit code {code}")
        moves = [word for word in pods.moves(id) if word != "running"]  # it may be seen to run once more
        assert moves == [*WORDS[:3], "unknown", "failed"]
    tell("22", "the end after its node is started", (pods.seen(ended, "failed") - began).total_seconds())
    assert pods.log(ended) == ["it"]
    kept = [line for line in pods.log(talks) if not line.startswith("[gap")]
    assert kept == [f"line {n}" for n in range(lines)][: len(kept)]


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


def attempt_after(pods: OnPods, second: Second, certain: Any) -> None:
    """The next attempt begins only once the end of the first is certain."""
    id = begin(pods, second, AGAIN)
    pods.said(id, "it")
    lose(pods, second, id)
    time.sleep(3)  # nothing is made up meanwhile
    assert pods.status(id) == "unknown"
    began = datetime.now(UTC)
    certain()
    assert pods.end(id)[0] == "succeeded", pods.history(id)
    tell("22", "done on another node after it is certain", (datetime.now(UTC) - began).total_seconds())
    assert pods.moves(id) == [*WORDS[:4], "unknown", *WORDS[1:]], pods.history(id)
    assert any("infrastructure: " in str(said) for _, said in pods.history(id))
    assert pods.job(id)["node_scheduled"] == "node-1"
    assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 2


def test_22_a_node_that_is_out_of_service_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    attempt_after(pods, second, second.shut_down)


@pytest.mark.slow
def test_22_a_node_that_is_deleted_is_one_new_attempt(pods: OnPods, second: Second) -> None:
    attempt_after(pods, second, second.delete)


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
