"""Bookmarks on experiments and projects, as the contract has them."""

import asyncio
from typing import Any

import pytest

from tests.people import Person


@pytest.fixture
async def project(ada: Person) -> str:
    """A public project of ada's, by path."""
    await ada.http.post("/projects", json={"name": "open", "is_public": True})
    return "/ada/open"


@pytest.fixture
async def experiment(ada: Person, project: str) -> str:
    """An experiment in it, by path."""
    answer = await ada.http.post(f"{project}/experiments", json={"name": "first"})
    return f"{project}/experiments/{answer.json()['id']}"


async def marked(person: Person, kind: str, of: str | None = None) -> list[Any]:
    """The bookmarked objects of one user, as another sees them."""
    page = (await person.http.get(f"/bookmarks/{of or person.username}/{kind}")).json()
    assert set(page) == {"count", "next", "previous", "results"}
    assert page["count"] == len(page["results"])
    return [row["content_object"] for row in page["results"]]


@pytest.mark.parametrize("kind", ["experiments", "projects"])
async def test_a_mark_is_set_and_taken_off_as_often_as_one_likes(
    ada: Person, bob: Person, project: str, experiment: str, kind: str
) -> None:
    path = experiment if kind == "experiments" else project
    assert (await bob.http.delete(f"{path}/unbookmark")).status_code == 204
    for _ in range(2):
        assert (await bob.http.post(f"{path}/bookmark")).status_code == 201
    whole = (await bob.http.get(path)).json()
    assert whole["bookmarked"] is True
    assert [row["id"] for row in await marked(bob, kind)] == [whole["id"]]
    assert (await ada.http.get(path)).json()["bookmarked"] is False
    for _ in range(2):
        assert (await bob.http.delete(f"{path}/unbookmark")).status_code == 204
    assert (await bob.http.get(path)).json()["bookmarked"] is False
    assert await marked(bob, kind) == []


@pytest.mark.parametrize("kind", ["experiments", "projects"])
async def test_marks_set_at_once_are_one(bob: Person, project: str, experiment: str, kind: str) -> None:
    path = experiment if kind == "experiments" else project
    answers = await asyncio.gather(*(bob.http.post(f"{path}/bookmark") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(await marked(bob, kind)) == 1


async def test_a_marked_experiment_is_listed_whole(ada: Person, experiment: str) -> None:
    await ada.http.post(f"{experiment}/bookmark")
    assert await marked(ada, "experiments") == [(await ada.http.get(experiment)).json()]


async def test_a_marked_project_is_listed_as_in_lists(ada: Person, project: str) -> None:
    await ada.http.post(f"{project}/bookmark")
    assert await marked(ada, "projects") == (await ada.http.get("/ada")).json()["results"]


async def test_the_last_marked_comes_first_and_lists_have_pages(ada: Person) -> None:
    for name in ("one", "two", "three"):
        await ada.http.post("/projects", json={"name": name})
        await ada.http.post(f"/ada/{name}/bookmark")
    first = (await ada.http.get("/bookmarks/ada/projects", params={"limit": 2})).json()
    assert [row["content_object"]["name"] for row in first["results"]] == ["three", "two"]
    rest = (await ada.http.get(first["next"])).json()
    assert [row["content_object"]["name"] for row in rest["results"]] == ["one"]
    assert (rest["count"], rest["next"]) == (3, None)


@pytest.mark.parametrize("kind", ["experiments", "projects"])
async def test_someone_elses_list_is_empty_for_superusers_too(
    ada: Person, bob: Person, root: Person, project: str, experiment: str, kind: str
) -> None:
    await ada.http.post(f"{project}/bookmark")
    await ada.http.post(f"{experiment}/bookmark")
    for person in (bob, root):
        assert await marked(person, kind, of="ada") == []
        assert await marked(person, kind, of="nobody") == []


@pytest.mark.parametrize("kind", ["experiments", "projects"])
async def test_what_one_may_no_longer_see_is_no_longer_listed(
    ada: Person, bob: Person, project: str, experiment: str, kind: str
) -> None:
    path = experiment if kind == "experiments" else project
    await bob.http.post(f"{path}/bookmark")
    await ada.http.patch(project, json={"is_public": False})
    assert await marked(bob, kind) == []
    for method, call in (("POST", "bookmark"), ("DELETE", "unbookmark")):
        assert (await bob.http.request(method, f"{path}/{call}")).status_code == 404
    await ada.http.patch(project, json={"is_public": True})
    assert len(await marked(bob, kind)) == 1
    await ada.http.delete(project)
    assert await marked(bob, kind) == []
