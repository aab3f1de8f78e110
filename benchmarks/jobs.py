"""What the reconciler uses while many jobs run: real processes, so fewer than the goal's 10,000."""

import time

import httpx

from benchmarks.service import Service
from benchmarks.table import Line

JOBS = 60
SECONDS = 10.0


def job_lines(up: Service, client: httpx.Client) -> list[Line]:
    """Experiments that sleep."""
    spec = {
        "version": 1,
        "kind": "experiment",
        "environment": {"resources": {"cpu": {"requests": 0.1}}},
        "run": {"cmd": "sleep 600"},
    }
    client.post("/projects", json={"name": "jobs"}).raise_for_status()
    for _ in range(JOBS):
        client.post("/root/jobs/experiments", json={"config": spec}).raise_for_status()
    running: dict[str, str | int] = {"query": "status:running", "limit": 1}
    until = time.monotonic() + 300
    while client.get("/root/jobs/experiments", params=running).json()["count"] < JOBS:
        if time.monotonic() > until:
            raise RuntimeError("the jobs did not start")
        time.sleep(0.5)
    reconciler = up.part("bunsen reconcile")
    before = sum(reconciler.cpu_times()[:2])
    time.sleep(SECONDS)
    used = (sum(reconciler.cpu_times()[:2]) - before) / SECONDS
    client.delete("/root/jobs")
    return [Line(f"one reconciler, {JOBS} running jobs", used, "cores", None, "< 1 with 10,000")]
