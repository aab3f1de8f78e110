"""Making experiments for tests of the API."""

from typing import Any

from tests.people import Person

PATH = "/ada/lab/experiments"
SPEC: dict[str, Any] = {
    "version": 1,
    "kind": "experiment",
    "run": {"cmd": "echo {{ lr }}"},
    "declarations": {"lr": 1},
}

KEYS = {
    *("id", "uuid", "name", "unique_name", "user", "description", "created_at", "updated_at", "started_at"),
    *("finished_at", "last_status", "original", "project", "experiment_group", "build_job", "tags", "config"),
    *("declarations", "resources", "last_metric", "num_jobs", "is_clone", "has_tensorboard", "bookmarked"),
}


async def make_lab(person: Person) -> None:
    """The project `ada/lab`, where these tests make their experiments."""
    answer = await person.http.post("/projects", json={"name": "lab"})
    assert answer.status_code == 201, answer.text


async def create(person: Person, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    answer = await person.http.post(PATH, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
