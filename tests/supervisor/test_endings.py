"""How the service ends, and comes back after whatever was killed of it."""

import re
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from app.disk import delete_tree
from app.embedded.postgres import EmbeddedPostgres
from app.launchers.servers import NO_TLS
from tests.embedded.processes import lives, until
from tests.supervisor.conftest import MakeUp
from tests.supervisor.experiments import HELD, job_of, make_project, run, status
from tests.supervisor.service import Up


def answers(up: Up) -> bool:
    try:
        return httpx.get(f"{up.url}/readyz", timeout=5, verify=NO_TLS).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("part", ["api", "reconciler", "postgres"])
def test_a_part_that_was_killed_comes_back(running: Up, part: str) -> None:
    for _ in range(2):
        process = running.part(part)
        process.kill()
        until(lambda process=process: not lives(process.pid))  # type: ignore[misc]
        assert running.part(part).pid != process.pid
        until(lambda: answers(running))


def test_a_postgres_that_is_told_to_end_does_not_wait_for_its_clients(running: Up) -> None:
    """A plain `kill` is a smart shutdown: new connections are refused until the last one is given up."""
    until(lambda: answers(running))
    process = running.part("postgres")
    process.terminate()
    until(lambda: not lives(process.pid))
    until(lambda: answers(running))


@pytest.mark.parametrize(("part", "how"), [("api", "SIGTERM"), ("reconciler", "exit code 0")])
def test_a_part_ends_by_a_hang_up_as_by_sigterm(running: Up, part: str, how: str) -> None:
    until(lambda: answers(running) and _catches(running.part(part).pid, signal.SIGHUP))
    before = running.output.count(f"ended ({how})")
    running.part(part).send_signal(signal.SIGHUP)
    until(lambda: running.output.count(f"ended ({how})") > before, told=lambda: running.output)
    assert "SIGHUP" not in running.output


def _catches(pid: int, number: signal.Signals) -> bool:
    try:
        found = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:  # it ends, as a test before wanted: the next one is about to come
        return False
    return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)


def test_while_the_api_is_away_clients_wait_and_are_not_refused(running: Up) -> None:
    running.part("api").kill()
    assert httpx.get(f"{running.url}/healthz", timeout=60).status_code == 200


def test_parts_end_with_a_killed_supervisor_and_the_next_start_works_at_once(running: Up) -> None:
    parts = [running.part(name).pid for name in ("api", "reconciler", "postgres")]
    running.signal(signal.SIGKILL)
    running.wait()
    running.start().wait_ready()  # on the same port, without waiting for them
    until(lambda: not any(lives(pid) for pid in parts))
    assert "Password" not in running.output


def test_it_ends_with_a_sentence_when_its_folder_is_removed(running: Up) -> None:
    moved = running.data.with_name("moved")
    running.data.rename(moved)
    assert running.wait() != 0
    assert f"{running.data} was removed while the service used it" in running.output
    delete_tree(running.data)  # what some part wrote meanwhile
    moved.rename(running.data)
    running.start().wait_ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time_under_open_streams_and_experiments_go_on(
    running: Up, number: signal.Signals
) -> None:
    up, project = running, f"streams-{number}"
    cut: list[str] = []
    with up.client() as client:
        make_project(client, project)
        tracked, held = run(client, project), run(client, project, HELD)
        until(lambda: status(client, project, held) == "running")
    job = job_of(up)
    opened = threading.Barrier(5)
    readers = [
        threading.Thread(target=follow, args=(up, project, experiment, opened, cut))
        for experiment in (tracked, held, tracked, held)
    ]
    for reader in readers:
        reader.start()
    opened.wait(60)
    parts = up.children()
    began = time.monotonic()
    up.signal(number)
    assert up.wait() == 0
    assert time.monotonic() - began < 10
    for reader in readers:
        reader.join(60)
    assert cut == ["cut"] * 4
    assert "did not end in time" not in up.output
    assert not [part for part in parts if part.is_running() and part.status() != "zombie"]
    assert job.is_running()
    up.start().wait_ready()
    with up.client() as client:
        assert status(client, project, held) == "running"
        client.post(f"/api/v1/root/{project}/experiments/{held}/stop")
        until(lambda: status(client, project, held) == "stopped")
    assert not job.is_running()


def follow(up: Up, project: str, experiment: int, opened: threading.Barrier, cut: list[str]) -> None:
    """Follow a log; a stream that ends without its last chunk is noted as cut."""
    path = f"/api/v1/root/{project}/experiments/{experiment}/logs"
    with up.client() as client, client.stream("GET", path, params={"follow": "true"}, timeout=60) as answer:
        opened.wait(60)
        try:
            for _ in answer.iter_bytes():
                pass
        except httpx.RemoteProtocolError:
            cut.append("cut")
        else:
            cut.append("ended")


def test_while_its_database_is_away_the_api_says_so_and_then_recovers(
    make_up: MakeUp, server: EmbeddedPostgres
) -> None:
    up = make_up(DATABASE_URL=server.url).start().wait_ready()
    with up.client() as client:
        make_project(client, "away")
        server.stop()
        answer = client.get("/api/v1/root/away")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        server.start()
        until(lambda: client.get("/api/v1/root/away").status_code == 200)
        number = run(client, "away", "echo done")
        until(lambda: status(client, "away", number) == "succeeded")
