"""Projects, as the contract has them."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select, update

from app.db.engine import Sessions, transaction
from app.db.tables import Build, Experiment, Job, Project, Token
from app.services.tokens import create_job_token
from tests.people import Person

LISTED = {
    "id", "uuid", "user", "name", "unique_name", "description", "tags", "created_at", "updated_at",
    "is_public",
}  # fmt: skip
COUNTS = {
    "num_experiments", "num_independent_experiments", "num_jobs", "num_builds", "num_experiment_groups",
    "has_code", "has_tensorboard", "has_notebook", "bookmarked",
}  # fmt: skip


async def make(person: Person, name: str = "quick-start", **keys: Any) -> dict[str, Any]:
    answer = await person.http.post("/projects", json={"name": name, **keys})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def add_experiment(sessions: Sessions, project_id: int, user: Person) -> int:
    async with transaction(sessions) as session:
        statement = (
            insert(Experiment)
            .values(project_id=project_id, user_id=user.id, status="running", outputs_uuid="0" * 32)
            .returning(Experiment.id)
        )
        return (await session.execute(statement)).scalar_one()


async def test_a_new_project_is_private_empty_and_its_makers(ada: Person) -> None:
    project = await make(ada, description="A first look", tags=["mnist"])
    assert set(project) == LISTED | COUNTS
    assert project["user"] == "ada"
    assert project["unique_name"] == "ada.quick-start"
    assert project["is_public"] is False
    assert project["tags"] == ["mnist"]
    assert {project[key] for key in COUNTS} == {0}
    assert project["created_at"].endswith("+00:00")
    assert (await ada.http.get("/ada/quick-start")).json() == project


async def test_unknown_keys_and_nulls_are_ignored(ada: Person) -> None:
    body: dict[str, Any] = {
        "id": 7,
        "user": "bob",
        "experiments": None,
        "description": None,
        "tags": None,
        "is_public": None,
    }
    project = await make(ada, **body)
    assert (project["user"], project["is_public"], project["tags"]) == ("ada", False, None)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "a b"}, ["name"]),
        ({"name": "../etc"}, ["name"]),
        ({"name": "é"}, ["name"]),
        ({"name": "a\n"}, ["name"]),
        ({"name": "a" * 129}, ["name"]),
        ({"name": 7}, ["name"]),
        ({"name": "a", "description": "d" * 65_537}, ["description"]),
        ({"name": "a", "description": "\0"}, ["description"]),
        ({"name": "a", "tags": "mnist"}, ["tags"]),
        ({"name": "a", "tags": ["t"] * 101}, ["tags"]),
        ({"name": "a", "tags": ["t" * 129]}, ["tags", 0]),
        ({"name": "a", "is_public": "true"}, ["is_public"]),
    ],
)
async def test_what_cannot_be_a_project_is_refused_with_its_place(
    ada: Person, body: dict[str, Any], loc: list[str | int]
) -> None:
    answer = await ada.http.post("/projects", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == loc
    assert (await ada.http.get("/ada")).json()["count"] == 0


async def test_a_name_is_taken_once_per_owner(ada: Person, bob: Person) -> None:
    await make(ada)
    again = await ada.http.post("/projects", json={"name": "quick-start"})
    assert again.status_code == 400
    assert again.json()["errors"] == [
        {"loc": ["name"], "msg": "the name quick-start is taken", "type": "taken"}
    ]
    await make(bob)


async def test_of_many_that_create_one_name_at_once_one_succeeds(ada: Person) -> None:
    async def create() -> int:
        return (await ada.http.post("/projects", json={"name": "race"})).status_code

    assert sorted(await asyncio.gather(*(create() for _ in range(8)))) == [201] + [400] * 7


async def test_of_two_that_rename_to_one_name_at_once_one_succeeds(ada: Person) -> None:
    await make(ada, "one")
    await make(ada, "two")

    async def rename(name: str) -> int:
        return (await ada.http.patch(f"/ada/{name}", json={"name": "same"})).status_code

    assert sorted(await asyncio.gather(rename("one"), rename("two"))) == [200, 400]


async def test_a_list_has_pages_newest_update_first(ada: Person) -> None:
    for name in ("one", "two", "three"):
        await make(ada, name)
    await ada.http.patch("/ada/one", json={"description": "touched"})
    first = (await ada.http.get("/ada", params={"limit": 2})).json()
    assert set(first) == {"count", "next", "previous", "results"}
    assert set(first["results"][0]) == LISTED
    assert first["count"] == 3
    assert [row["name"] for row in first["results"]] == ["one", "three"]
    assert first["previous"] is None
    rest = (await ada.http.get(first["next"])).json()
    assert [row["name"] for row in rest["results"]] == ["two"]
    assert rest["next"] is None
    assert rest["previous"].startswith("http://bunsen.test/api/v1/ada?")
    beyond = await ada.http.get("/ada", params={"offset": 2**62})
    assert (beyond.status_code, beyond.json()["results"]) == (200, [])


@pytest.mark.parametrize(
    "page", [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"offset": -1}, {"offset": 10**30}]
)
async def test_a_page_out_of_bounds_is_refused(ada: Person, page: dict[str, Any]) -> None:
    assert (await ada.http.get("/ada", params=page)).status_code == 400


async def test_others_see_public_projects_only_and_a_superuser_all(
    ada: Person, bob: Person, root: Person
) -> None:
    await make(ada, "closed")
    await make(ada, "open", is_public=True)

    async def names(person: Person) -> list[str]:
        return sorted(row["name"] for row in (await person.http.get("/ada")).json()["results"])

    assert await names(bob) == ["open"]
    assert await names(root) == await names(ada) == ["closed", "open"]
    assert (await bob.http.get("/ada")).json()["count"] == 1
    assert (await bob.http.get("/ada/closed")).status_code == 404
    assert (await bob.http.get("/ada/open")).status_code == 200
    assert (await bob.http.patch("/ada/closed", json={})).status_code == 404
    assert (await bob.http.patch("/ada/open", json={})).status_code == 403
    assert (await bob.http.delete("/ada/closed")).status_code == 404
    assert (await bob.http.delete("/ada/open")).status_code == 403
    assert (await root.http.patch("/ada/closed", json={"is_public": True})).status_code == 200
    assert (await bob.http.get("/ada/closed")).status_code == 200


@pytest.mark.parametrize("username", ["nobody", "a%00b", "..%2f", "%F0%9F%A6%86", "a" * 5000])
async def test_projects_of_nobody_are_not_found(ada: Person, username: str) -> None:
    assert (await ada.http.get(f"/{username}")).status_code == 404
    assert (await ada.http.get(f"/{username}/p")).status_code == 404


@pytest.mark.parametrize("form", ["/ada/quick-start/", "//ada/quick-start", "//ada//quick-start//"])
async def test_slashes_make_no_difference(ada: Person, form: str) -> None:
    await make(ada)
    assert (await ada.http.get(f"http://bunsen.test/api/v1{form}")).json()["name"] == "quick-start"


async def test_patch_changes_what_it_names_and_no_more(ada: Person) -> None:
    before = await make(ada, description="old", tags=["a"])
    answer = await ada.http.patch("/ada/quick-start", json={"description": "new", "user": "bob"})
    assert answer.status_code == 200
    after = answer.json()
    assert after["updated_at"] > before["updated_at"]
    unchanged = {key for key in before if before[key] == after[key]}
    assert set(before) - unchanged == {"description", "updated_at"}
    emptied = (await ada.http.patch("/ada/quick-start", json={"description": None, "tags": None})).json()
    assert (emptied["description"], emptied["tags"]) == (None, None)
    kept = (await ada.http.patch("/ada/quick-start", json={"name": None, "is_public": None})).json()
    assert kept == emptied


async def test_patch_renames(ada: Person) -> None:
    made = await make(ada)
    renamed = (await ada.http.patch("/ada/quick-start", json={"name": "digits"})).json()
    assert (renamed["id"], renamed["unique_name"]) == (made["id"], "ada.digits")
    assert (await ada.http.get("/ada/quick-start")).status_code == 404
    await make(ada)
    taken = await ada.http.patch("/ada/digits", json={"name": "quick-start"})
    assert (taken.status_code, taken.json()["errors"][0]["loc"]) == (400, ["name"])


async def test_merged_tags_are_added_however_many_send_at_once(ada: Person) -> None:
    await make(ada, tags=["a"])

    async def add(tag: str) -> None:
        answer = await ada.http.patch("/ada/quick-start", json={"tags": ["a", tag], "merge": True})
        assert answer.status_code == 200

    await asyncio.gather(*(add(f"t{i}") for i in range(6)))
    tags = (await ada.http.get("/ada/quick-start")).json()["tags"]
    assert sorted(tags) == ["a", *(f"t{i}" for i in range(6))]
    many = {"tags": [f"m{i}" for i in range(100)], "merge": True}
    refused = await ada.http.patch("/ada/quick-start", json=many)
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (400, ["tags"])


async def test_a_deleted_project_is_gone_at_once_and_its_name_is_free(
    ada: Person, sessions: Sessions
) -> None:
    made = await make(ada)
    experiment = await add_experiment(sessions, made["id"], ada)
    async with transaction(sessions) as session:
        token = await create_job_token(session, ada.id, experiment, attempt=1)
    assert (await ada.http.get("/ada/quick-start")).json()["num_experiments"] == 1
    assert (await ada.http.delete("/ada/quick-start")).status_code == 204
    assert (await ada.http.delete("/ada/quick-start")).status_code == 404
    assert (await ada.http.get("/ada/quick-start")).status_code == 404
    assert (await ada.http.get("/ada")).json()["count"] == 0
    async with transaction(sessions) as session:
        deleted = select(Project.deleted_at, Experiment.deleted_at).join(Experiment)
        assert None not in (await session.execute(deleted)).one()
        assert (await session.execute(select(Token).where(Token.experiment_id == experiment))).all() == []
    job = await ada.http.get("/ada/quick-start", headers={"Authorization": f"token {token}"})
    assert job.status_code == 401
    assert (await make(ada))["id"] != made["id"]


async def test_of_many_that_delete_at_once_one_does(ada: Person) -> None:
    await make(ada)
    answers = await asyncio.gather(*(ada.http.delete("/ada/quick-start") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 5


async def test_the_counts_are_of_what_is_there(ada: Person, sessions: Sessions) -> None:
    made = await make(ada)
    kept = await add_experiment(sessions, made["id"], ada)
    gone = await add_experiment(sessions, made["id"], ada)
    jobs = [
        {"experiment_id": of, "role": "worker", "index": i, "status": "running"}
        for of in (kept, gone)
        for i in range(3)
    ]
    build = {"project_id": made["id"], "user_id": ada.id, "hash": "h", "spec": {}, "status": "succeeded"}
    async with transaction(sessions) as session:
        await session.execute(insert(Job).values(jobs))
        await session.execute(insert(Build).values(build))
        await session.execute(update(Experiment).where(Experiment.id == gone).values(deleted_at=func.now()))
        await session.execute(update(Experiment).where(Experiment.id == kept).values(has_tensorboard=True))
    project = (await ada.http.get("/ada/quick-start")).json()
    assert (project["num_experiments"], project["num_independent_experiments"]) == (1, 1)
    assert (project["num_jobs"], project["num_builds"], project["has_tensorboard"]) == (3, 1, True)


async def test_a_jobs_token_opens_no_project(ada: Person, sessions: Sessions) -> None:
    made = await make(ada)
    experiment = await add_experiment(sessions, made["id"], ada)
    async with transaction(sessions) as session:
        token = await create_job_token(session, ada.id, experiment, attempt=1)
    for method, path in (("GET", "/ada"), ("GET", "/ada/quick-start"), ("DELETE", "/ada/quick-start")):
        answer = await ada.http.request(method, path, headers={"Authorization": f"token {token}"})
        assert answer.status_code == 403


async def test_without_a_token_nothing_is_told(client: httpx.AsyncClient, ada: Person) -> None:
    await make(ada, is_public=True)
    for path in ("/ada", "/ada/quick-start", "/nobody", "/ada/none"):
        answer = await client.get(f"/api/v1{path}")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "token"
        assert answer.json()["code"] == "not_authenticated"
