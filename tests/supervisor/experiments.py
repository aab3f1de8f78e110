"""Experiments of the service under test, over its own HTTP API."""

import httpx
import psutil

from tests.supervisor.service import Up

HELD = 'trap "" HUP; i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo $i; sleep 0.1; done'


def make_project(client: httpx.Client, name: str) -> None:
    assert client.post("/api/v1/projects", json={"name": name}).status_code == 201


def run(client: httpx.Client, project: str, command: str | None = None) -> int:
    """A new experiment of that command; without one it is only tracked."""
    config = {"version": 1, "kind": "experiment", "run": {"cmd": command}} if command else None
    answer = client.post(f"/api/v1/root/{project}/experiments", json={"config": config})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def status(client: httpx.Client, project: str, number: int) -> str:
    answer = client.get(f"/api/v1/root/{project}/experiments/{number}")
    return str(answer.json()["last_status"]) if answer.status_code == 200 else answer.text


def job_of(up: Up) -> psutil.Process:
    """The shell of the one experiment that runs."""
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if HELD in (process.info["cmdline"] or []) and str(up.data) in environment_of(process)
    ]
    assert found
    return found[0]


def environment_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.environ().values())
    except psutil.Error:
        return ""
