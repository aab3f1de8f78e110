"""A node is lost for longer than the control plane bears: it asks for its pods' deletion after 5 minutes."""

import time
from datetime import UTC, datetime

import pytest

from tests.faults.kubernetes.kube import until
from tests.faults.kubernetes.pods import WORDS, OnPods, tell
from tests.faults.kubernetes.second import AGAIN, Second, begin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("second", [False], indirect=True, ids=["full"])
def test_22_the_control_planes_eviction_is_no_end(pods: OnPods, second: Second) -> None:
    """Its containers may go on: it stays `unknown` until its node is back and has ended them."""
    id = begin(pods, second, AGAIN)
    pods.said(id, "it")
    name = pods.pod(id)
    second.lose()
    pods.row(id, lambda word, _: word == "unknown", 120)
    lost = time.monotonic()

    def is_evicted() -> bool:
        (pod,) = [pod for pod in pods.namespace.pods() if pod["metadata"]["name"] == name]
        return "deletionTimestamp" in pod["metadata"]

    until(is_evicted, 400)
    tell("22", "evicted after unknown", time.monotonic() - lost)
    time.sleep(15)  # nothing is made up meanwhile
    assert pods.status(id) == "unknown"
    began = datetime.now(UTC)
    second.start()
    assert pods.end(id)[0] == "succeeded", pods.history(id)
    tell("22", "done again after its node is back", (datetime.now(UTC) - began).total_seconds())
    moves = [word for word in pods.moves(id) if word != "unknown"]
    assert [word for word in moves if word in {"starting", "succeeded"}] == [
        "starting",
        "starting",
        "succeeded",
    ]
    assert any("infrastructure: " in str(said) for _, said in pods.history(id))
    assert WORDS[-1] == moves[-1]
    assert len(pods.namespace.uids(name.partition("-")[0])) == 2
