"""As a container's first process, or where it is said, experiments end with the service."""

import os
import shutil
import signal
import subprocess
import time

import psutil
import pytest

from tests.embedded.processes import until
from tests.supervisor.conftest import MakeUp
from tests.supervisor.experiments import HELD, job_of, make_project, run, status
from tests.supervisor.service import Up


def namespaces_allowed() -> bool:
    """Whether this user may have a process 1 of its own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False)
    return tried.returncode == 0


def end_with_experiments(up: Up) -> int:
    """The experiment that runs ends with the service, in time. Gives its number."""
    with up.client() as client:
        make_project(client, "ends")
        number = run(client, "ends", HELD)
        until(lambda: status(client, "ends", number) == "running")
    job = job_of(up)
    began = time.monotonic()
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert time.monotonic() - began < 10
    assert not job.is_running()
    return number


def test_where_a_setting_says_so_experiments_end_with_the_service_and_get_another_attempt(
    make_up: MakeUp,
) -> None:
    up = make_up("--stop-jobs-on-exit", "true").start().wait_ready()
    number = end_with_experiments(up)
    up.start().wait_ready()
    with up.client() as client:
        path = f"/api/v1/root/ends/experiments/{number}"
        until(lambda: "attempt 2" in client.get(f"{path}/statuses").text)
        client.post(f"{path}/stop")
        until(lambda: status(client, "ends", number) == "stopped")


@pytest.mark.skipif(not namespaces_allowed(), reason="no process namespaces for this user")
def test_as_process_1_they_end_too_and_orphans_are_buried(make_up: MakeUp) -> None:
    up = make_up()
    up.prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    up.start().wait_ready()
    with up.client() as client:
        make_project(client, "short")
        for _ in range(3):
            number = run(client, "short", "(sleep 0.1 &) ; echo done")
            until(lambda number=number: status(client, "short", number) == "succeeded")  # type: ignore[misc]
    first = psutil.Process(up.pid)
    until(lambda: not [child for child in first.children() if child.status() == psutil.STATUS_ZOMBIE])
    end_with_experiments(up)
