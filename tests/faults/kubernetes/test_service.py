"""The service dies, races itself, meets quotas and strangers: one pod for each attempt, nothing lost."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
import pytest

from app.embedded.postgres import running_url
from tests.embedded.processes import ROOT
from tests.faults.calls import DONE
from tests.faults.cast import numbered
from tests.faults.kubernetes.conftest import free_port
from tests.faults.kubernetes.kube import plain_pod, until
from tests.faults.kubernetes.pods import RECOVERY, WORDS, OnPods, reported, tell
from tests.supervisor.service import Up

pytestmark = pytest.mark.timeout(240)

GPU = {"environment": {"resources": {"gpu": {"limits": 1}}}}
LEADS = "app.worker: leads"  # what a reconciler says
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.2; done"


def kill_all(up: Up) -> None:
    """The supervisor and all that it started, at once."""
    for process in [*up.children(), psutil.Process(up.pid)]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    up.wait()


def pods_of(pods: OnPods, id: int) -> int:
    """How many pods its only job ever had."""
    return len(pods.namespace.uids(pods.pod(id).partition("-")[0]))


def test_7_8_all_of_it_is_killed_while_experiments_are_in_every_state(up: Up, pods: OnPods) -> None:
    """And two pods are deleted by someone else meanwhile: the own end of the one that has one decides."""
    talks, ends = pods.create(numbered(120, 0.1)), pods.create("echo it; sleep 4; exit 3")
    stopped, deleted = pods.create(STUBBORN), pods.create("echo ready; sleep 600")
    cut = pods.create("echo ready; exec sleep 600", termination={"max_retries": 2})
    pull = pods.create("true", build={"image": "registry.bunsen.test:5000/none:1"})
    for id, text in ((talks, "line 3"), (ends, "it"), (stopped, "ready"), (deleted, "ready"), (cut, "ready")):
        pods.said(id, text)
    names = {id: pods.pod(id) for id in (ends, deleted, cut)}
    new = [pods.create("echo new") for _ in range(3)]
    pods.stop(stopped)
    pods.delete(deleted)
    kill_all(up)
    ended = pods.namespace.ended(names[ends])
    time.sleep(max(0.0, 2.1 - (datetime.now(UTC) - ended.at).total_seconds()))  # kubelets tell whole seconds
    for id in (ends, cut):
        pods.namespace.delete(f"pods/{names[id]}", grace=1)
    pods.namespace.ended(names[cut])
    began = datetime.now(UTC)
    up.start().wait_ready()
    ready = datetime.now(UTC)
    tell("7", "the service answers after its start", (ready - began).total_seconds())

    assert pods.end(ends) == ("failed", "failed with exit code 3")
    caught_up = pods.seen(ends, "failed")
    since = (caught_up - began).total_seconds()
    tell("7, 8", "the end of a pod that was deleted meanwhile is told after the start", since)
    assert (caught_up - ready).total_seconds() < RECOVERY
    assert pods.log(ends) == ["it"]
    assert pods.end(cut) == ("failed", "deleted by someone else")
    assert pods.end(stopped)[0] == "stopped"
    for id in (cut, stopped):  # its kubelet removed its log with its container, while nobody read it
        first, *rest = pods.log(id)
        assert first == "ready"
        assert all(line.startswith("[gap: ") for line in rest)
    assert pods.end(talks)[0] == "succeeded"
    assert pods.log(talks) == [f"line {n}" for n in range(120)]
    for id in new:
        assert pods.end(id)[0] == "succeeded"
        assert pods.log(id) == ["new"]
    assert pods.end(pull)[0] == "failed"
    for id in (talks, ends, cut, stopped, pull, *new):
        assert pods_of(pods, id) == 1
    assert pods.call("GET", f"{pods.experiments}/{deleted}").status_code == 404
    until(lambda: names[deleted] not in {pod["metadata"]["name"] for pod in pods.namespace.pods()})


def crash(up: Up, pods: OnPods, rounds: int) -> None:
    """The reconciler is killed at random moments of launches, each time after it led again."""
    chance = random.Random(20261125)
    ids, away = [], []
    for _ in range(rounds):
        lead = up.output.count(LEADS)
        ids += [pods.create("echo done") for _ in range(2)]
        time.sleep(chance.uniform(0.0, 0.4))
        up.part("reconciler").kill()
        killed = time.monotonic()
        until(lambda lead=lead: up.output.count(LEADS) > lead)  # type: ignore[misc]
        away.append(time.monotonic() - killed)
    tell("7, 16", "a killed reconciler leads again, the median", sorted(away)[rounds // 2])
    tell("7, 16", "a killed reconciler leads again, the longest", max(away))
    assert max(away) < RECOVERY
    for id in ids:
        assert pods.end(id)[0] == "succeeded", pods.history(id)
        assert pods.moves(id) == WORDS, pods.history(id)
        assert pods.log(id) == ["done"]
        assert pods_of(pods, id) == 1


def test_16_a_crash_at_any_point_around_a_launch(up: Up, pods: OnPods) -> None:
    crash(up, pods, 3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_16_forty_crashes_around_launches(up: Up, pods: OnPods) -> None:
    crash(up, pods, 40)


def state_of(port: int) -> str:
    """What a reconciler says of itself."""
    try:
        return str(httpx.get(f"http://127.0.0.1:{port}/readyz").json()["status"])
    except httpx.TransportError:
        return "is not there yet"


def race(up: Up, pods: OnPods, count: int) -> None:
    """A second reconciler beside the service's own, over many launches, while the leader is killed."""
    url = running_url(up.data)
    assert url
    port = free_port()
    second = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "reconcile", "--data", str(up.data)],
        cwd=ROOT,
        env=os.environ
        | up.environment
        | {"PYTHONPATH": str(ROOT), "DATABASE_URL": url, "BUNSEN_STATUS_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    began = time.monotonic()
    try:
        until(lambda: state_of(port) == "stands by")
        ids = []
        for number in range(count):
            ids.append(pods.create("echo done"))
            if number == count // 2:
                up.part("reconciler").send_signal(signal.SIGKILL)
        for id in ids:
            assert pods.end(id, 600)[0] == "succeeded"
            assert pods.moves(id) == WORDS, pods.history(id)
            assert pods.log(id) == ["done"]
            assert pods_of(pods, id) == 1
        tell("21", f"{count} launches, all looked at", time.monotonic() - began)
    finally:
        second.terminate()
        second.wait(30)


def test_21_two_reconcilers_race_and_each_job_has_one_pod(up: Up, pods: OnPods) -> None:
    race(up, pods, 12)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_21_two_hundred_launches(up: Up, pods: OnPods) -> None:
    race(up, pods, 200)


def test_14_17_a_quota_waits_with_its_reason_then_starts_and_a_strangers_pod_is_left_alone(
    pods: OnPods,
) -> None:
    """The stranger's pod has the name of a first attempt that waits, and of a second."""
    hard = {"hard": {"requests.nvidia.com/gpu": "0"}}
    pods.namespace.create("resourcequotas", {"metadata": {"name": "gpus"}, "spec": hard})
    id, first = pods.create("echo done", **GPU), pods.create("echo done", **GPU)
    second = pods.create("sleep 3; exit 1", termination={"max_retries": 2})
    for waits in (id, first):
        row = pods.row(waits, lambda _, said: "exceeded quota: gpus" in said)
        assert row["status"] == "scheduled"
        asked = reported(pods.rows(waits)[0]["created_at"])
        tell("14", "the reason after the request", (reported(row["created_at"]) - asked).total_seconds())
    strangers = [pods.namespace.create("pods", plain_pod(pods.pod(first)))]
    pods.wait(second, {"running"})
    strangers.append(pods.namespace.create("pods", plain_pod(pods.pod(second, 2))))
    assert pods.status(id) == "scheduled"
    pods.namespace.delete("resourcequotas/gpus")
    lifted = datetime.now(UTC)
    assert pods.end(id)[0] == "succeeded", pods.history(id)
    assert pods.moves(id) == WORDS
    name = pods.pod(id)
    made = pods.namespace.first(lambda seen: seen.name == name)
    tell("14", "its pod after the quota is lifted", (made.at - lifted).total_seconds())
    assert pods_of(pods, id) == 1
    for waits, stranger in zip((first, second), strangers, strict=True):
        word, said = pods.end(waits)
        assert (word, "not this service's" in said) == ("failed", True), said
        (found,) = [
            each for each in pods.namespace.pods() if each["metadata"]["uid"] == stranger["metadata"]["uid"]
        ]
        assert "deletionTimestamp" not in found["metadata"]


def test_30_pods_with_no_row_are_removed_and_others_are_left_alone(pods: OnPods) -> None:
    def marks(installation: str) -> dict[str, Any]:
        managed = {"app.kubernetes.io/managed-by": "bunsen", "app.kubernetes.io/instance": installation}
        job = {"bunsen/job": uuid.uuid4().hex, "bunsen/attempt": "1", "bunsen/run": uuid.uuid4().hex}
        return {"labels": managed | job, "finalizers": ["bunsen/kept"]}

    for name, more in (("theirs-1", marks("theirs")), ("nobodys", {})):
        pods.namespace.create("pods", plain_pod(name, **more))
    ours = marks("ours")
    name, began = f"{ours['labels']['bunsen/job']}-1", time.monotonic()
    pods.namespace.create("pods", plain_pod(name, **ours))

    def there() -> dict[str, Any]:
        return {pod["metadata"]["name"]: pod["metadata"] for pod in pods.namespace.pods()}

    until(lambda: name not in there(), 40)
    tell("30", "a pod of ours without a row is gone", time.monotonic() - began)
    for kept in ("theirs-1", "nobodys"):
        assert "deletionTimestamp" not in there()[kept]
    assert pods.wait(pods.create("true"), DONE) == "succeeded"
