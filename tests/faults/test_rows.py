"""Faults that the service survives, each on real processes and the real Postgres, through HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from app.embedded.postgres import running_url
from tests.embedded.processes import ROOT
from tests.faults.calls import DONE, Patient
from tests.faults.cast import START, numbered
from tests.faults.test_kills import starts_of
from tests.supervisor.service import Up, data_folder

SETTINGS = {"BUNSEN_GRACE": "2", "BUNSEN_RETRY_BACKOFF": "0.05", "BUNSEN_CPUS": "64", "BUNSEN_TTL": "3600"}
EATER = "python3 -c 'import time; hog = bytearray(300 * 1024 * 1024); time.sleep(60)'"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with data_folder() as data:
        up = Up(data, environment=SETTINGS)
        try:
            yield up.start().wait_ready()
        finally:
            up.stop()


@pytest.fixture
def patient(up: Up) -> Patient:
    patient = Patient(up, "rows")
    patient.make_project()
    return patient


def test_3_out_of_memory_is_failed_with_137(patient: Patient) -> None:
    limits = {"environment": {"resources": {"memory": {"limits": "100Mi"}}}}
    id = patient.create(EATER, **limits)
    assert patient.wait(id, DONE) == "failed"
    assert "out of memory" in str(patient.history(id)[-1][1])
    job = patient.jobs(id)[0]["id"]
    rows = patient.call("GET", f"{patient.experiments}/{id}/jobs/{job}/statuses").json()["results"]
    assert rows[-1]["details"]["exit_code"] == 137


def fail_often(patient: Patient, times: int) -> None:
    ids = [patient.create(f"{numbered(20, 0)}; exit 1") for _ in range(times)]
    for id in ids:
        assert patient.wait(id, DONE) == "failed"
        assert patient.log(id) == [f"line {n}" for n in range(20)]


def test_4_exits_in_its_first_second_keep_all_lines(patient: Patient) -> None:
    fail_often(patient, 20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_4_five_hundred_times(patient: Patient) -> None:
    fail_often(patient, 500)


@pytest.mark.parametrize("moment", ["build", "run", "finish"])
def test_10_a_stop_at_any_moment_is_stopped_once(patient: Patient, moment: str) -> None:
    trap = "trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    build = {"build": {"build_steps": ["sleep 20"]}} if moment == "build" else {}
    id = patient.create("sleep 0.3" if moment == "finish" else trap, **build)
    patient.wait(id, {"building"} if moment == "build" else {"running", *DONE})
    if moment == "run":
        until_printed(patient, id, "ready")
    if moment == "finish":
        time.sleep(0.2)  # about when its command ends: either end is right, but only one of them
    patient.call("POST", f"{patient.experiments}/{id}/stop")
    patient.wait(id, DONE)
    words = [word for word, _ in patient.history(id)]
    assert sum(word in DONE for word in words) == 1
    if moment != "finish":
        assert words[-1] == "stopped"
    if moment == "run":
        assert "got TERM" in patient.log(id)


def until_printed(patient: Patient, id: int, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in patient.call("GET", f"{patient.experiments}/{id}/logs").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def race(up: Up, patient: Patient, count: int) -> None:
    """A second reconciler beside the service's own, over many launches, while the leader is killed."""
    url = running_url(up.data)
    assert url
    second = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "reconcile", "--data", str(up.data)],
        cwd=ROOT,
        env={**os.environ, **SETTINGS, "PYTHONPATH": str(ROOT), "DATABASE_URL": url, "BUNSEN_UIDS": up.uids},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        small = {"environment": {"resources": {"cpu": {"requests": 0.1}}}}
        ids = []
        for number in range(count):
            ids.append(patient.create(START + "echo done", **small))
            if number == count // 2:
                up.part("reconciler").send_signal(signal.SIGKILL)
        for id in ids:
            assert patient.wait(id, DONE) == "succeeded"
            words = [word for word, _ in patient.history(id)]
            assert words == ["created", "scheduled", "starting", "running", "succeeded"]
            assert list(starts_of(up, patient.get(id)["uuid"]).values()) == [1]
            assert patient.log(id) == ["done"]
    finally:
        second.terminate()
        second.wait(60)


def test_21_two_reconcilers_race_and_each_job_starts_once(up: Up, patient: Patient) -> None:
    race(up, patient, 20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_21_two_hundred_launches(up: Up, patient: Patient) -> None:
    race(up, patient, 200)


def away(up: Up, patient: Patient, seconds: float) -> None:
    """Postgres is stopped dead for a while: nothing is lost, and who asks is told when to come again."""
    id = patient.create(numbered(40, 0.1))
    patient.wait(id, {"running"})
    postgres = up.part("postgres")
    everyone = [postgres, *postgres.children(recursive=True)]
    for process in everyone:
        process.suspend()
    try:
        with up.client() as client:
            answer = client.get(f"/api/v1/{patient.experiments}/{id}", timeout=60)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        time.sleep(seconds)  # how long it is away is what is tried
    finally:
        for process in everyone:
            process.resume()
    assert patient.wait(id, DONE) == "succeeded"
    assert patient.log(id) == [f"line {n}" for n in range(40)]


def test_24_postgres_restarts(up: Up, patient: Patient) -> None:
    id = patient.create(numbered(30, 0.1))
    patient.wait(id, {"running"})
    up.part("postgres").send_signal(signal.SIGQUIT)
    assert patient.wait(id, DONE) == "succeeded"
    assert patient.log(id) == [f"line {n}" for n in range(30)]


@pytest.mark.slow
def test_24_postgres_is_away_for_30_seconds(up: Up, patient: Patient) -> None:
    away(up, patient, 30)


def test_25_one_job_of_several_that_fails_fails_it(patient: Patient) -> None:
    cmd = 'case "$POLYAXON_TASK_INFO" in *worker*) exit 5;; esac; sleep 3600'
    id = patient.create(cmd, environment={"pytorch": {"n_workers": 2}})
    assert patient.wait(id, DONE) == "failed"
    deadline = time.monotonic() + 60
    while any(job["last_status"] not in DONE for job in patient.jobs(id)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
