"""What a pod's JSON means: a table of pods of a real cluster (`pods/`), and what cannot be had at will."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.launchers.kubernetes.diagnose import Surroundings, diagnose, verdict_of
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.knowledge import has_sandbox
from app.launchers.kubernetes.names import VERDICT
from app.launchers.kubernetes.verdicts import Since, due_at, is_blocked, judge
from tests.launchers.kubernetes.specs import options_of

REF = JobRef("a" * 32, 1)
PODS = Path(__file__).parent / "pods"
ERROR = 'ErrImagePull: failed to pull and unpack image "registry.bunsen.test:5000/none:1": failed to resolve'
MOUNT = 'FailedMount: MountVolume.SetUp failed for volume "volume-1" : hostPath type check failed'

# status, the beginning of the message, exit code
TABLE: dict[str, tuple[Status, str | None, int | None]] = {
    "code_not_fetched": (Status.FAILED, "its code could not be fetched from http://", None),
    "creating": (Status.STARTING, None, None),
    "deleted_after_its_end": (Status.FAILED, "failed with exit code 3", 3),
    "deleted_by_someone": (Status.FAILED, "deleted by someone else", 143),
    "deleted_by_someone_running": (Status.RUNNING, None, None),
    "evicted": (Status.FAILED, "infrastructure: EvictionByEvictionAPI: Eviction API: evicting", 143),
    "exit_3": (Status.FAILED, "failed with exit code 3", 3),
    "invalid_image": (Status.STARTING, "InvalidImageName: Failed to apply default image tag", None),
    "killed": (Status.FAILED, "ended by SIGKILL (exit code 137)", 137),
    "no_claim": (
        Status.SCHEDULED,
        '0/1 nodes are available: persistentvolumeclaim "nowhere" not found',
        None,
    ),
    "no_image": (Status.STARTING, ERROR, None),
    "no_image_back_off": (Status.STARTING, ERROR, None),
    "no_image_given_up": (Status.FAILED, ERROR, None),
    "no_node": (Status.SCHEDULED, "0/1 nodes are available: 1 Insufficient cpu.", None),
    "no_secret": (Status.STARTING, 'CreateContainerConfigError: secret "nowhere" not found', None),
    "no_volume": (Status.STARTING, MOUNT, None),
    "no_volume_given_up": (Status.FAILED, MOUNT, None),
    "out_of_memory": (Status.FAILED, "out of memory (OOM): over its limit of 64 MiB", 137),
    "over_its_timeout": (Status.FAILED, "ran longer than its timeout of 1 s", 143),
    "running": (Status.RUNNING, None, None),
    "stopped": (Status.STOPPED, "stopped", 0),
    "stopped_without_a_node": (Status.STOPPED, "stopped", None),
    "succeeded": (Status.SUCCEEDED, None, 0),
}
FINAL_FOR_GOOD = {"deleted_by_someone", "over_its_timeout"}


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PODS / f"{name}.json").read_text())["pod"]
    return found


def seen(name: str, **more: Any) -> JobObservation:
    warning = json.loads((PODS / f"{name}.json").read_text())["warning"]
    return diagnose(REF, pod(name), Surroundings(warning=warning, **more))


def test_every_pod_is_in_the_table() -> None:
    assert TABLE.keys() == {path.stem for path in PODS.glob("*.json")}


@pytest.mark.parametrize("name", ["no_image", "no_secret", "running", "creating", "no_node", "no_volume"])
def test_what_was_warned_of_is_over_once_its_network_is_there(name: str) -> None:
    """Else a mount that failed once, and then an image that comes slowly, would end it."""
    item, there = pod(name), name in {"no_image", "no_secret", "running"}
    assert has_sandbox(item) is there
    item["status"]["conditions"] = []
    assert has_sandbox(item) is there


@pytest.mark.parametrize("name", TABLE)
def test_what_is_seen(name: str) -> None:
    status, words, code = TABLE[name]
    found = seen(name)
    assert (found.status, found.exit_code) == (status, code)
    assert found.message is None if words is None else str(found.message).startswith(words)
    assert found.infrastructure is (name == "evicted")
    assert found.retryable is (name not in FINAL_FOR_GOOD)
    assert found.node == (None if status is Status.SCHEDULED or "without_a_node" in name else "node-1")
    ran = found.exit_code is not None or found.status is Status.RUNNING
    assert (found.started_at is not None) is ran
    assert (found.finished_at is not None) is (found.exit_code is not None)


def test_a_back_off_says_what_its_error_says_so_that_it_is_one_message() -> None:
    assert seen("no_image").message == seen("no_image_back_off").message


def test_a_lost_node_makes_unknown_what_is_not_over() -> None:
    words = "Kubelet stopped posting node status."
    for name in ("running", "creating", "deleted_by_someone_running"):
        found = seen(name, node_lost=words)
        assert found.status is Status.UNKNOWN
        assert found.message == f"its node node-1 does not answer: {words}"
    assert seen("succeeded", node_lost=words).status is Status.SUCCEEDED


def test_the_last_lines_of_a_failure_are_among_the_details() -> None:
    details = seen("deleted_by_someone").details or {}
    assert "up" in details["last_lines"]  # type: ignore[operator]


def test_the_wrappers_own_line_is_not_among_them() -> None:
    item = pod("exit_3")
    end = end_line(item["metadata"]["name"])
    said = f"one\n\n{end}\ntwo{end}\n"
    item["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = said
    details = diagnose(REF, item, Surroundings()).details or {}
    assert details["last_lines"] == ["one", "", "two"]


class TestDeletion:
    """Kubelets tell whole seconds, and put the time of the end in the place of the deletion's."""

    def test_an_end_before_it_counts_by_itself(self) -> None:
        item = pod("deleted_after_its_end")
        finished = datetime.fromisoformat(
            item["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
        )
        late = Surroundings(deleted_at=finished + timedelta(seconds=1))
        assert diagnose(REF, item, late).exit_code == 3
        assert diagnose(REF, item, late).message == "failed with exit code 3"
        same = diagnose(REF, item, Surroundings(deleted_at=finished))
        assert same.message == "deleted by someone else"

    def test_a_success_that_an_eviction_came_too_late_for_is_one(self) -> None:
        item = pod("evicted")
        item["status"]["containerStatuses"][0]["state"]["terminated"] |= {
            "exitCode": 0,
            "reason": "Completed",
        }
        assert diagnose(REF, item, Surroundings()).status is Status.SUCCEEDED

    def test_a_stop_has_its_own_time_where_the_kubelets_is_before_it(self) -> None:
        found = seen("stopped")
        verdict = verdict_of(pod("stopped"))
        assert verdict is not None
        assert found.finished_at is not None
        assert found.finished_at >= verdict.at


@pytest.mark.parametrize("reason", ["Evicted", "NodeShutdown", "OutOfcpu", "UnexpectedAdmissionError"])
def test_what_a_node_turns_away_is_a_failure_of_the_infrastructure(reason: str) -> None:
    item = pod("creating")
    item["status"] = {"phase": "Failed", "reason": reason, "message": "why"}
    found = diagnose(REF, item, Surroundings())
    assert (found.status, found.infrastructure) == (Status.FAILED, True)
    assert found.message == f"infrastructure: {reason}: why"


def test_a_container_that_its_node_knows_no_more_is_lost_by_the_infrastructure() -> None:
    item = pod("exit_3")
    end = item["status"]["containerStatuses"][0]["state"]["terminated"]
    end |= {"exitCode": 255, "reason": "Unknown"}
    found = diagnose(REF, item, Surroundings())
    assert (found.status, found.infrastructure) == (Status.FAILED, True)


def test_a_verdict_that_somebody_wrote_into_is_a_stop() -> None:
    item = pod("stopped")
    (condition,) = (one for one in item["status"]["conditions"] if one["type"] == VERDICT)
    condition["message"] = "no json"
    found = verdict_of(item)
    assert found is not None
    assert found.reason == "stopped"


class TestVerdicts:
    """When the service ends a pod by itself."""

    NOW = datetime(2026, 6, 1, tzinfo=UTC)
    OPTIONS = options_of(Path("/srv"), pull_grace=180.0)

    @pytest.mark.parametrize(
        "name", ["no_image", "no_image_back_off", "no_secret", "invalid_image", "no_claim"]
    )
    def test_what_keeps_a_pod_from_starting_blocks_it(self, name: str) -> None:
        assert is_blocked(pod(name), Surroundings())

    @pytest.mark.parametrize("name", ["creating", "no_node", "running", "succeeded", "no_image_given_up"])
    def test_what_does_not(self, name: str) -> None:
        assert not is_blocked(pod(name), Surroundings())

    def test_a_warning_about_a_volume_blocks(self) -> None:
        assert is_blocked(pod("no_volume"), Surroundings(warning=MOUNT))
        assert not is_blocked(pod("running"), Surroundings(warning=MOUNT))

    @pytest.mark.parametrize(
        ("name", "after", "ended"),
        [("no_image", 179, False), ("no_image", 180, True), ("invalid_image", 0, True)],
    )
    def test_after_the_grace_it_failed_but_what_is_hopeless_at_once(
        self, name: str, after: int, ended: bool
    ) -> None:
        since = Since(blocked=self.NOW - timedelta(seconds=after))
        found = judge(pod(name), Surroundings(), since, self.OPTIONS, self.NOW)
        assert (found is not None) is ended
        if found is not None:
            assert found.message == seen(name).message

    def judged(self, name: str) -> dict[str, Any]:
        """The pod with its verdict, before it is deleted."""
        since = Since(blocked=self.NOW - timedelta(days=1))
        found = judge(pod(name), Surroundings(), since, self.OPTIONS, self.NOW)
        assert found is not None
        item = copy.deepcopy(pod(name))
        item["status"]["conditions"].append({"type": VERDICT, "status": "True", "message": found.text()})
        return item

    def test_what_is_hopeless_failed_before_its_kubelet_says_that_nothing_of_it_runs(self) -> None:
        """Nothing of it ever did; nor is it tried again, now or when the kubelet has said so."""
        item = self.judged("invalid_image")
        found = diagnose(REF, item, Surroundings())
        assert (found.status, found.message) == (Status.FAILED, seen("invalid_image").message)
        assert not found.retryable
        item["status"]["phase"] = "Failed"
        assert diagnose(REF, item, Surroundings()).message == found.message
        assert not diagnose(REF, item, Surroundings()).retryable
        assert diagnose(REF, self.judged("no_image"), Surroundings()).status is Status.STARTING

    def test_one_that_was_judged_and_not_deleted_is_deleted_by_the_next_who_looks(self) -> None:
        """Whoever judged it died then, or the cluster was away."""
        item = self.judged("no_image")
        told = verdict_of(item)
        assert told is not None
        for after, again in ((9, None), (11, told)):
            now = told.at + timedelta(seconds=after)
            assert judge(item, Surroundings(), Since(), self.OPTIONS, now) == again
        item["metadata"]["deletionTimestamp"] = told.at.isoformat()
        assert judge(item, Surroundings(), Since(), self.OPTIONS, told.at + timedelta(days=1)) is None

    def test_a_timeout_is_of_running_and_never_too_short(self) -> None:
        item = pod("running")
        item["metadata"]["annotations"]["bunsen/timeout"] = "10"
        started = seen("running").started_at
        assert started is not None
        due = due_at(item, Surroundings(), Since(), self.OPTIONS)
        assert due == started + timedelta(seconds=11), "kubelets tell whole seconds"
        before = judge(item, Surroundings(), Since(), self.OPTIONS, due - timedelta(milliseconds=1))
        assert before is None
        found = judge(item, Surroundings(), Since(), self.OPTIONS, due)
        assert found is not None
        assert (found.reason, found.message) == ("timeout", "ran longer than its timeout of 10 s")

    def test_no_node_is_waited_for_as_long_as_a_setting_says(self) -> None:
        item = pod("no_node")
        assert due_at(item, Surroundings(), Since(), self.OPTIONS) is None
        options = options_of(Path("/"), schedule_timeout=60.0)
        created = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
        assert judge(item, Surroundings(), Since(), options, created + timedelta(seconds=59)) is None
        found = judge(item, Surroundings(), Since(), options, created + timedelta(seconds=60))
        assert found is not None
        assert found.message.startswith(
            "no node took it within 60 s: 0/1 nodes are available: 1 Insufficient"
        )

    def test_a_lost_node_is_waited_for_as_long_as_a_setting_says(self) -> None:
        since = Since(node_lost=self.NOW - timedelta(seconds=60))
        assert judge(pod("running"), Surroundings(), since, self.OPTIONS, self.NOW) is None
        options = options_of(Path("/"), node_lost_timeout=60.0)
        found = judge(pod("running"), Surroundings(), since, options, self.NOW)
        assert found is not None
        item = copy.deepcopy(pod("running"))
        item["status"]["conditions"].append({"type": VERDICT, "status": "True", "message": found.text()})
        ended = diagnose(REF, item, Surroundings(node_lost="gone"))
        assert (ended.status, ended.message) == (
            Status.FAILED,
            "infrastructure: its node node-1 did not come back within 60 s",
        )
        assert not ended.infrastructure, "a second pod would start, while the first may run yet"
        assert not ended.retryable

    @pytest.mark.parametrize("name", ["stopped", "succeeded", "no_image_given_up"])
    def test_what_is_over_is_judged_no_more(self, name: str) -> None:
        since = Since(blocked=self.NOW - timedelta(days=1), node_lost=self.NOW - timedelta(days=1))
        assert judge(pod(name), Surroundings(), since, self.OPTIONS, self.NOW) is None
        assert due_at(pod(name), Surroundings(), since, self.OPTIONS) is None
