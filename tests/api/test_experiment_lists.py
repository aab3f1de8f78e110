"""Experiments as `contract.md` has them: lists and changes."""

import pytest

from tests.api.experiments import PATH, SPEC, create, make_lab
from tests.people import Person

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"


@pytest.fixture(autouse=True)
async def lab(ada: Person) -> None:
    await make_lab(ada)


class TestList:
    async def test_newest_update_first(self, ada: Person) -> None:
        a, b, c = [(await create(ada))["id"] for _ in range(3)]
        await ada.http.patch(f"{PATH}/{a}", json={"description": "new"})
        rows = (await ada.http.get(PATH)).json()["results"]
        assert [row["id"] for row in rows] == [a, c, b]

    async def test_pages_have_absolute_links(self, ada: Person) -> None:
        for _ in range(3):
            await create(ada)
        page = (await ada.http.get(PATH, params={"limit": 1, "offset": 1, "sort": "id"})).json()
        assert page["count"] == 3
        assert page["next"].startswith("http://bunsen.test/api/v1/ada/lab/experiments?")
        assert "offset=2" in page["next"]
        assert "sort=id" in page["next"]
        assert "offset=0" in page["previous"]

    async def test_an_offset_past_the_end_is_empty(self, ada: Person) -> None:
        await create(ada)
        answer = await ada.http.get(PATH, params={"offset": 2**62})
        assert (answer.status_code, answer.json()["results"], answer.json()["count"]) == (200, [], 1)

    @pytest.mark.parametrize(
        "params",
        [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"offset": "-1"}, {"offset": "9" * 30}],
    )
    async def test_bounds_of_pages(self, ada: Person, params: dict[str, str]) -> None:
        assert (await ada.http.get(PATH, params=params)).status_code == 400

    @pytest.mark.parametrize("flag", ["independent", "metrics", "declarations"])
    async def test_flags(self, ada: Person, flag: str) -> None:
        await create(ada)
        for value in ("true", "false", "1", "0"):
            assert (await ada.http.get(PATH, params={flag: value})).json()["count"] == 1
        assert (await ada.http.get(PATH, params={flag: "maybe"})).status_code == 400

    async def test_a_group_finds_none(self, ada: Person) -> None:
        await create(ada)
        assert (await ada.http.get(PATH, params={"group": 1})).json()["count"] == 0

    async def test_query_and_sort(self, ada: Person) -> None:
        for lr in (1, 2, 3):
            await create(ada, config=SPEC, declarations={"lr": lr})
        page = await ada.http.get(PATH, params={"query": "declarations.lr:>1", "sort": "-declarations.lr"})
        assert [row["declarations"]["lr"] for row in page.json()["results"]] == [3, 2]

    async def test_a_bad_query_names_its_position(self, ada: Person) -> None:
        answer = await ada.http.get(PATH, params={"query": "status:nonsense"})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["loc"] == ["query", 7]

    async def test_all_projects_that_the_caller_may_see(self, ada: Person, bob: Person, root: Person) -> None:
        await create(ada)
        assert (await ada.http.get("/experiments")).json()["count"] == 1
        assert (await bob.http.get("/experiments")).json()["count"] == 0
        assert (await root.http.get("/experiments")).json()["count"] == 1


class TestPatch:
    async def test_what_is_sent_changes_and_the_rest_stays(self, ada: Person) -> None:
        made = await create(ada, name="a", description="d", tags=["x"])
        answer = await ada.http.patch(f"{PATH}/{made['id']}", json={"description": "new"})
        row = answer.json()
        assert (row["name"], row["description"], row["tags"]) == ("a", "new", ["x"])
        assert row["updated_at"] > made["updated_at"]

    async def test_merge_joins_tags_and_declarations(self, ada: Person) -> None:
        made = await create(ada, tags=["x"], declarations={"a": 1})
        body = {"merge": True, "tags": ["y", "x"], "declarations": {"b": 2}}
        row = (await ada.http.patch(f"{PATH}/{made['id']}", json=body)).json()
        assert (row["tags"], row["declarations"]) == (["x", "y"], {"a": 1, "b": 2})

    async def test_an_equal_spec_is_ignored_and_another_is_a_409(self, ada: Person) -> None:
        made = await create(ada, config=SPEC)
        path = f"{PATH}/{made['id']}"
        assert (await ada.http.patch(path, json={"config": SPEC})).status_code == 200
        assert (await ada.http.patch(path, json={"config": None})).status_code == 200
        other = {**SPEC, "run": {"cmd": "false"}}
        assert (await ada.http.patch(path, json={"config": other})).status_code == 409

    async def test_a_taken_name_is_a_400(self, ada: Person) -> None:
        await create(ada, name="a")
        made = await create(ada, name="b")
        assert (await ada.http.patch(f"{PATH}/{made['id']}", json={"name": "a"})).status_code == 400
        assert (await ada.http.patch(f"{PATH}/{made['id']}", json={"name": "b"})).status_code == 200
