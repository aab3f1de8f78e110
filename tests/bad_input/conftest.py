"""A project with an experiment that is only tracked, for whatever bad is sent to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.settings import Settings
from tests.live import Live, serving
from tests.people import Person


@dataclass(frozen=True)
class Lab:
    """`ada/lab` and its one experiment, whose paths are below `/api/v1`."""

    owner: Person
    id: int

    @property
    def path(self) -> str:
        return f"/ada/lab/experiments/{self.id}"

    async def state(self) -> object:
        """All that a refused call could have changed."""
        paths = ["/ada", "/ada/lab", "/ada/lab/experiments", f"{self.path}/statuses", f"{self.path}/metrics"]
        paths += [f"{self.path}/logs", f"{self.path}/run", "/ada/lab/builds"]
        answers = [await self.owner.http.get(path) for path in paths]
        assert {answer.status_code for answer in answers} == {200}
        return [answer.text for answer in answers]


@pytest.fixture
async def lab(ada: Person) -> Lab:
    assert (await ada.http.post("/projects", json={"name": "lab"})).status_code == 201
    made = await ada.http.post("/ada/lab/experiments", json={})
    return Lab(ada, made.json()["id"])


@pytest.fixture
async def live(settings: Settings, ada: Person) -> AsyncIterator[Live]:
    """The service on a real socket."""
    async with serving(settings) as live:
        yield live
