"""An experiment from create to its end, as real processes."""

from typing import Any

import pytest

from app.reconciler.context import Context
from tests.people import Person
from tests.reconciler.conftest import until

DONE = {"succeeded", "failed", "stopped"}


@pytest.fixture
async def project(ada: Person) -> str:
    answer = await ada.http.post("/projects", json={"name": "runs"})
    assert answer.status_code == 201
    return "/ada/runs/experiments"


async def create(person: Person, path: str, cmd: str, **spec: Any) -> int:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}, **spec}
    answer = await person.http.post(path, json={"config": config})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def status(person: Person, path: str, id: int) -> str:
    return str((await person.http.get(f"{path}/{id}")).json()["last_status"])


async def ends(person: Person, path: str, id: int) -> str:
    async def done() -> bool:
        return await status(person, path, id) in DONE

    await until(done)
    return await status(person, path, id)


async def history(person: Person, path: str, id: int) -> list[tuple[str, str | None]]:
    rows = (await person.http.get(f"{path}/{id}/statuses")).json()["results"]
    return [(row["status"], row["message"]) for row in rows]


async def test_a_command_that_ends_well_succeeds_through_every_status(
    ada: Person, project: str, running: Context
) -> None:
    id = await create(ada, project, "echo hello")
    assert await ends(ada, project, id) == "succeeded"
    words = [word for word, _ in await history(ada, project, id)]
    assert words == ["created", "scheduled", "starting", "running", "succeeded"]


async def test_a_command_that_fails_tells_its_exit_code(ada: Person, project: str, running: Context) -> None:
    id = await create(ada, project, "exit 3")
    assert await ends(ada, project, id) == "failed"
    assert "3" in str((await history(ada, project, id))[-1][1])


async def test_stop_ends_a_running_command_with_sigterm(ada: Person, project: str, running: Context) -> None:
    id = await create(ada, project, "sleep 600")

    async def runs() -> bool:
        return await status(ada, project, id) == "running"

    await until(runs)
    answer = await ada.http.post(f"{project}/{id}/stop")
    assert answer.status_code == 200
    assert await ends(ada, project, id) == "stopped"


async def test_retries_start_all_over_until_they_are_used_up(
    ada: Person, project: str, running: Context
) -> None:
    id = await create(ada, project, "exit 1", termination={"max_retries": 2})
    assert await ends(ada, project, id) == "failed"
    messages = [message for word, message in await history(ada, project, id) if word == "scheduled"]
    assert [str(m).split(":")[0] for m in messages] == ["None", "attempt 2 of 3", "attempt 3 of 3"]


async def test_one_job_of_several_that_fails_fails_the_experiment_and_stops_its_peers(
    ada: Person, project: str, running: Context
) -> None:
    cmd = """case "$POLYAXON_TASK_INFO" in *worker*) exit 5;; *) sleep 600;; esac"""
    id = await create(ada, project, cmd, environment={"pytorch": {"n_workers": 2}})
    assert await ends(ada, project, id) == "failed"
    assert "worker" in str((await history(ada, project, id))[-1][1])

    async def all_done() -> bool:
        jobs = (await ada.http.get(f"{project}/{id}/jobs")).json()["results"]
        return len(jobs) == 3 and all(job["last_status"] in DONE for job in jobs)

    await until(all_done)


async def test_a_deleted_experiment_is_gone_at_once_and_leaves_nothing(
    ada: Person, project: str, running: Context
) -> None:
    id = await create(ada, project, "sleep 600")

    async def runs() -> bool:
        return await status(ada, project, id) == "running"

    await until(runs)
    assert (await ada.http.delete(f"{project}/{id}")).status_code == 204
    assert (await ada.http.get(f"{project}/{id}")).status_code == 404

    async def nothing_left() -> bool:
        return not await running.launcher.known()

    await until(nothing_left)
