"""Which ends a node did not see, from the JSON of real pods."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.launchers.kubernetes.diagnose import started_at
from app.launchers.kubernetes.names import END
from app.launchers.kubernetes.unseen import unseen_end
from tests.launchers.kubernetes.test_diagnose import TABLE, pod

EARLY = datetime(2020, 1, 1, tzinfo=UTC)  # nothing was read for long


def ended(late: float, **end: Any) -> tuple[dict[str, Any], datetime]:
    """A pod whose kubelet knew of its end so many seconds later, and the end."""
    item = pod("exit_3")
    told = item["status"]["containerStatuses"][0]["state"]["terminated"] | end
    item["status"]["containerStatuses"][0]["state"]["terminated"] = told
    finished = datetime.fromisoformat(told["finishedAt"])
    for condition in item["status"]["conditions"]:
        if condition["type"] == "ContainersReady":
            condition["lastTransitionTime"] = (finished + timedelta(seconds=late)).isoformat()
        if condition["type"] == "Ready":  # as the control plane writes it once the node is lost
            condition["lastTransitionTime"] = (finished - timedelta(seconds=9)).isoformat()
    return item, finished


BEGAN = [name for name in TABLE if started_at(pod(name)) is not None]


@pytest.mark.parametrize("name", BEGAN)
def test_a_kubelet_that_was_there_saw_it(name: str) -> None:
    """Also where its node is restarted later."""
    assert unseen_end(pod(name), datetime.now(UTC), EARLY) is None


def test_one_that_a_node_learned_of_when_it_was_back_it_did_not_see() -> None:
    item, finished = ended(8.0)
    assert unseen_end(item, finished + timedelta(seconds=9), EARLY) == finished
    assert unseen_end(item, None, EARLY) == finished
    read = finished - timedelta(seconds=0.9)
    assert unseen_end(item, None, read) is None, "who was read until then printed no more"
    item, finished = ended(3.0)
    assert unseen_end(item, finished + timedelta(seconds=9), EARLY) is None


def test_a_node_that_was_there_all_the_time_may_be_slow_to_say_it() -> None:
    item, finished = ended(60.0)
    assert unseen_end(item, finished - timedelta(hours=1), EARLY) is None


@pytest.mark.parametrize(("code", "lost"), [(0, True), (3, True), (143, True), (137, False)])
def test_one_whose_wrapper_says_its_end_lacks_it(code: int, lost: bool) -> None:
    """Unless it was killed, for then it says nothing. What counts is that its manifest says so."""
    item, finished = ended(0.0, exitCode=code)
    assert unseen_end(item, EARLY, EARLY) is None
    item["metadata"]["annotations"][END] = "[bunsen] end of it"
    assert unseen_end(item, EARLY, EARLY) == (finished if lost else None)
    after = finished + timedelta(seconds=0.9)
    assert unseen_end(item, EARLY, after) == (after if lost else None)


def test_one_of_which_the_runtime_knows_nothing_nobody_saw() -> None:
    item, finished = ended(0.0, reason="Unknown", exitCode=255)
    assert unseen_end(item, None, EARLY) == finished
    item["status"]["containerStatuses"][0]["state"]["terminated"] |= {
        "reason": "ContainerStatusUnknown",
        "finishedAt": None,
    }
    assert unseen_end(item, None, EARLY) == finished
    after = finished + timedelta(seconds=2)
    assert unseen_end(item, None, after) == after, "also what it may have printed right after the last line"
