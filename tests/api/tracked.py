"""Experiments made through the API, for tests of what trackers call."""

from typing import Any

import httpx

from app.db.engine import Sessions, transaction
from app.services.tokens import create_job_token
from tests.people import Person

SPEC = {"version": 1, "kind": "experiment", "run": {"cmd": "python train.py"}}


async def add_tracked(person: Person, project: str = "quick-start", **keys: Any) -> str:
    """A new experiment without a spec, in a project that is made when it isn't there; gives its path."""
    if (await person.http.get(f"/{person.username}/{project}")).status_code == 404:
        made = await person.http.post("/projects", json={"name": project})
        assert made.status_code == 201, made.text
    base = f"/{person.username}/{project}/experiments"
    answer = await person.http.post(base, json=keys)
    assert answer.status_code == 201, answer.text
    return f"{base}/{answer.json()['id']}"


async def add_launched(person: Person, project: str = "quick-start") -> str:
    """A new experiment with a spec; gives its path."""
    return await add_tracked(person, project, config=SPEC)


def id_of(path: str) -> int:
    """The id at the end of an experiment's path."""
    return int(path.rsplit("/", 1)[1])


async def job_client(sessions: Sessions, person: Person, path: str, *, attempt: int = 1) -> httpx.AsyncClient:
    """A client with the token that a job of this experiment has."""
    async with transaction(sessions) as session:
        token = await create_job_token(session, person.id, id_of(path), attempt)
    return httpx.AsyncClient(
        transport=person.http._transport,
        base_url=person.http.base_url,
        headers={"Authorization": f"EphemeralToken {token}", "X-POLYAXON-INTERNAL": "runner"},
    )
