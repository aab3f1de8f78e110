"""Pods that can't start, end badly or are ended: what people meet most, each told in the cluster's words."""

import re
from typing import Any

import pytest

from tests.faults.calls import DONE
from tests.faults.cast import numbered
from tests.faults.kubernetes.conftest import GRACE
from tests.faults.kubernetes.pods import PROMPT, OnPods, reported, tell

pytestmark = pytest.mark.timeout(240)

NONE = {"build": {"image": "registry.bunsen.test:5000/none:1"}}
LONG = {"build": {"image": f"registry.bunsen.test:5000/{'a' * 256}"}}  # longer than a name may be
EATS = "x=$(head -c 200m /dev/zero | tr '\\0' x); echo $?"
TRAP = "trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
FAILS = f"{numbered(20, 0)}; exit 1"
TIMES = 20


def of_environment(**more: Any) -> dict[str, Any]:
    return {"environment": more}


WIDE = of_environment(resources={"cpu": {"requests": 1000}})
CAST: dict[str, tuple[str, dict[str, Any]]] = {
    "no image": ("true", NONE),
    "no name": ("true", LONG),
    "no node": ("true", WIDE),
    "out of memory": (EATS, of_environment(resources={"memory": {"limits": "64Mi"}})),
    "no secret": ("true", of_environment(secret_refs=["nowhere"])),
    "no volume": ("true", of_environment(persistence={"outputs": "nowhere"})),
    "bar": ("for i in $(seq 200); do printf '%d%%\\r' $i; sleep 0.02; done; printf end", {}),
    "evicted": ("echo began; sleep 600", {}),
    "deleted": ("echo began; sleep 600", {"termination": {"max_retries": 3}}),
    "stopped without a node": ("true", WIDE),
    "stopped": (TRAP, {}),
    "stopped at its end": ("sleep 0.3", {}),
} | {f"fails {n}": (FAILS, {}) for n in range(TIMES)}


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With time for a shell on a busy machine to hear a SIGTERM."""
    return environment | {"BUNSEN_GRACE": "15"}


@pytest.fixture(scope="module")
def cast(pods: OnPods) -> dict[str, int]:
    """All at once, since each waits for the cluster."""
    return {name: pods.create(cmd, **spec) for name, (cmd, spec) in CAST.items()}


def test_10_a_stop_during_run_and_finish_is_stopped_once(pods: OnPods, cast: dict[str, int]) -> None:
    late = cast["stopped at its end"]
    pods.wait(late, {"running", *DONE})
    pods.stop(late)  # about when its command ends: either end is right, but only one of them
    id = cast["stopped"]
    pods.said(id, "ready")
    pods.stop(id)
    assert pods.end(id)[0] == "stopped"
    said = pods.log(id)  # its shell may tell of the `sleep` that the signal ended, too
    assert [line for line in said if line != "Terminated"] == ["ready", "got TERM"]
    assert pods.lag(id, "10") < PROMPT
    assert pods.end(late)[0] in {"stopped", "succeeded"}


def test_10_a_stop_before_it_runs_is_stopped_once(pods: OnPods, cast: dict[str, int]) -> None:
    pull, wide = pods.create("true", **NONE), cast["stopped without a node"]
    for id, words in ((pull, "ErrImagePull"), (wide, "Insufficient cpu")):
        pods.row(id, lambda _, said, words=words: words in said)  # type: ignore[misc]
        pods.stop(id)
    for id in (pull, wide):
        assert pods.end(id)[0] == "stopped", pods.history(id)
        assert pods.log(id) == []


def test_1_an_image_that_does_not_exist(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["no image"]
    name = pods.pod(id)
    cluster = pods.namespace.first(lambda seen: seen.name == name and "ErrImagePull" in seen.waits)
    row = pods.row(id, lambda _, said: "ErrImagePull: " in said and "none:1" in said)
    assert row["status"] == "starting"
    told = (reported(row["created_at"]) - cluster.at).total_seconds()
    tell("1", "the reason after the cluster's", told)
    assert told < PROMPT
    word, said = pods.end(id)
    assert (word, said.partition(":")[0]) == ("failed", "ErrImagePull")
    waited = (reported(pods.rows(id)[-1]["created_at"]) - cluster.at).total_seconds()
    tell("1", f"failed, with a grace of {GRACE:g} s", waited)
    assert GRACE - 1 < waited < GRACE + 4 + PROMPT


def test_1_an_image_name_that_can_not_be_is_refused(pods: OnPods) -> None:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": "true"}, "build": {"image": "UPPER:Case!"}}
    answer = pods.call("POST", pods.experiments, json={"config": config})
    assert answer.status_code == 400
    assert "config.build.image: must be an image's name" in answer.json()["detail"]


def test_1_an_image_name_that_only_a_node_refuses_fails_at_once(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["no name"]
    name = pods.pod(id)
    cluster = pods.namespace.first(lambda seen: seen.name == name and "InvalidImageName" in seen.waits)
    word, said = pods.end(id)
    assert (word, said.partition(":")[0]) == ("failed", "InvalidImageName")
    told = (pods.seen(id, "failed") - cluster.at).total_seconds()
    tell("1", "an invalid name: failed after the node said so", told)
    assert told < PROMPT


def test_2_no_node_can_take_it(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["no node"]
    name = pods.pod(id)
    cluster = pods.namespace.first(lambda seen: seen.name == name and bool(seen.unscheduled))
    row = pods.row(id, lambda _, said: said == cluster.unscheduled)
    assert row["status"] == "scheduled"
    told = (reported(row["created_at"]) - cluster.at).total_seconds()
    tell("2", "the scheduler's words after it said them", told)
    assert told < PROMPT
    assert "Insufficient cpu" in cluster.unscheduled


def test_3_out_of_memory(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["out of memory"]
    word, said = pods.end(id)
    assert word == "failed"
    assert re.search("OOM", said)
    assert pods.details(id)["exit_code"] == 137
    assert pods.lag(id, "3") < PROMPT


def check_failed(pods: OnPods, ids: list[int]) -> None:
    for id in ids:
        assert pods.end(id, 600) == ("failed", "failed with exit code 1")
        assert pods.log(id) == [f"line {n}" for n in range(20)]


def test_4_exits_in_its_first_second_keep_all_lines(pods: OnPods, cast: dict[str, int]) -> None:
    ids = [cast[f"fails {n}"] for n in range(TIMES)]
    check_failed(pods, ids)
    lags = sorted(pods.lag(id, "4") for id in ids)
    assert lags[TIMES // 2] < PROMPT
    assert lags[-1] < 2 * PROMPT, "thirty at once, on a small machine"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_4_five_hundred_times(pods: OnPods) -> None:
    ids = [pods.create(FAILS) for _ in range(500)]
    check_failed(pods, ids)
    lags = sorted(
        (pods.seen(id, "failed") - pods.namespace.ended(pods.pod(id)).at).total_seconds() for id in ids
    )
    tell("4", "failed after the cluster's end, the median of 500", lags[250])
    tell("4", "failed after the cluster's end, the latest of 500", lags[-1])
    assert lags[250] < PROMPT


def test_11_a_progress_bar_without_a_newline_loses_nothing(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["bar"]
    assert pods.end(id)[0] == "succeeded"
    assert pods.log(id) == [*(f"{n}%" for n in range(1, 201)), "end"]


def test_18_a_missing_secret_and_a_missing_volume(pods: OnPods, cast: dict[str, int]) -> None:
    words = {
        "no secret": 'secret "nowhere" not found',
        "no volume": 'persistentvolumeclaim "nowhere" not found',
    }
    for name, text in words.items():
        row = pods.row(cast[name], lambda _, said, text=text: text in said)  # type: ignore[misc]
        assert row["status"] in {"scheduled", "starting"}
        word, said = pods.end(cast[name])
        assert word == "failed"
        assert text in said
        seconds = (
            reported(pods.rows(cast[name])[-1]["created_at"]) - reported(row["created_at"])
        ).total_seconds()
        tell("18", f"{name}: failed after its reason", seconds)
        assert seconds < GRACE + 6


def test_13_an_eviction_is_one_new_attempt_then_failed(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["evicted"]
    for number in (1, 2):
        name = pods.pod(id, number)
        pods.namespace.first(lambda seen, name=name: seen.name == name and seen.lives)  # type: ignore[misc]
        lines = ["began"] * number
        while (pods.call("GET", f"{pods.experiments}/{id}/logs")).text.splitlines() != lines:
            assert pods.status(id) not in DONE, pods.history(id)
        pods.namespace.evict(name)
    word, said = pods.end(id)
    assert word == "failed"
    assert "infrastructure: EvictionByEvictionAPI" in said
    assert pods.log(id) == ["began", "began"]
    assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 2
    assert pods.lag(id, "13", pods.pod(id, 2)) < PROMPT


def test_8_deleted_by_someone_else_before_its_end(pods: OnPods, cast: dict[str, int]) -> None:
    id = cast["deleted"]
    pods.said(id, "began")
    pods.namespace.delete(f"pods/{pods.pod(id)}", grace=1)
    assert pods.end(id) == ("failed", "deleted by someone else")
    assert pods.log(id) == ["began"]
    assert pods.lag(id, "8") < PROMPT
    assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 1


def test_2_it_waits_on_while_nothing_fails_it(pods: OnPods, cast: dict[str, int]) -> None:
    assert pods.status(cast["no node"]) == "scheduled"
    pods.stop(cast["no node"])
    assert pods.end(cast["no node"])[0] == "stopped"
