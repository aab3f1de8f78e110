"""Experiments as `contract.md` has them: stop, delete, restart, resume, copy."""

import asyncio
from typing import Any

import pytest

from tests.api.experiments import PATH, SPEC, create, make_lab
from tests.people import Person

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"


@pytest.fixture(autouse=True)
async def lab(ada: Person) -> None:
    await make_lab(ada)


class TestStopAndDelete:
    async def test_what_was_not_launched_is_stopped_at_once(self, ada: Person) -> None:
        made = await create(ada, config=SPEC)
        row = (await ada.http.post(f"{PATH}/{made['id']}/stop")).json()
        assert row["last_status"] == "stopped"
        assert row["started_at"] is None
        statuses = (await ada.http.get(f"{PATH}/{made['id']}/statuses")).json()["results"]
        assert row["finished_at"] == statuses[-1]["created_at"]

    async def test_a_stop_of_what_is_done_changes_nothing(self, ada: Person) -> None:
        made = await create(ada)
        first = (await ada.http.post(f"{PATH}/{made['id']}/stop")).json()
        again = await ada.http.post(f"{PATH}/{made['id']}/stop")
        assert (again.status_code, again.json()) == (200, first)

    async def test_deleted_it_is_not_there_and_its_name_is_free(self, ada: Person) -> None:
        made = await create(ada, name="a")
        answer = await ada.http.delete(f"{PATH}/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await ada.http.delete(f"{PATH}/{made['id']}")).status_code == 404
        await create(ada, name="a")

    async def test_patch_stop_and_delete_at_once_leave_one_outcome(self, ada: Person) -> None:
        made = await create(ada, config=SPEC)
        path = f"{PATH}/{made['id']}"
        answers = await asyncio.gather(
            *(ada.http.patch(path, json={"description": str(n)}) for n in range(4)),
            *(ada.http.post(f"{path}/stop") for _ in range(4)),
            *(ada.http.delete(path) for _ in range(2)),
        )
        assert {answer.status_code for answer in answers} <= {200, 204, 404}
        assert (await ada.http.get(path)).status_code == 404


class TestClones:
    @pytest.mark.parametrize("call", ["restart", "copy"])
    async def test_a_new_experiment_of_the_same(self, ada: Person, call: str) -> None:
        made = await create(ada, name="a", description="d", tags=["x"], config=SPEC, ttl=5)
        answer = await ada.http.post(f"{PATH}/{made['id']}/{call}")
        assert answer.status_code == 201
        row = answer.json()
        assert (row["original"], row["is_clone"], row["name"]) == (made["unique_name"], True, None)
        assert (row["description"], row["tags"], row["config"]) == ("d", ["x"], SPEC)
        assert row["last_status"] == "created"

    async def test_config_and_declarations_merge_over_the_originals(self, ada: Person) -> None:
        made = await create(ada, config=SPEC, declarations={"lr": 2})
        body = {"config": {"run": {"cmd": "true"}, "declarations": {"n": 3}}, "declarations": {"n": 4}}
        row = (await ada.http.post(f"{PATH}/{made['id']}/restart", json=body)).json()
        assert row["config"]["run"] == {"cmd": "true"}
        assert row["declarations"] == {"lr": 2, "n": 4}

    @pytest.mark.parametrize(
        ("sent", "declarations"),
        [
            ({"data": {"size": 8}}, {"lr": 1, "data": {"name": "mnist", "size": 8}}),
            ({"data": {"name": None, "n": 1}}, {"lr": 1, "data": {"size": 4, "n": 1}}),
            ({"data": None}, {"lr": 1}),
            ({"data": [1]}, {"lr": 1, "data": [1]}),
        ],
    )
    async def test_declarations_merge_over_those_of_the_originals_spec_too(
        self, ada: Person, sent: dict[str, Any], declarations: dict[str, Any]
    ) -> None:
        made = await create(
            ada, config={**SPEC, "declarations": {"lr": 1, "data": {"name": "mnist", "size": 4}}}
        )
        answer = await ada.http.post(f"{PATH}/{made['id']}/restart", json={"declarations": sent})
        assert answer.json()["declarations"] == declarations

    @pytest.mark.parametrize("spec", [None, SPEC])
    async def test_declarations_that_were_patched_are_the_originals(
        self, ada: Person, spec: dict[str, Any] | None
    ) -> None:
        made = await create(ada, config=spec, declarations={"lr": 2})
        path = f"{PATH}/{made['id']}"
        await ada.http.patch(path, json={"declarations": {"lr": 3, "n": 4}, "merge": True})
        row = (await ada.http.post(f"{path}/restart", json={"declarations": {"x": 5}})).json()
        assert row["declarations"] == {"lr": 3, "n": 4, "x": 5}

    async def test_a_resume_goes_on_when_nothing_uses_the_outputs(self, ada: Person) -> None:
        made = await create(ada, config=SPEC)
        path = f"{PATH}/{made['id']}"
        assert (await ada.http.post(f"{path}/resume")).status_code == 409
        await ada.http.post(f"{path}/stop")
        first = await ada.http.post(f"{path}/resume")
        assert (first.status_code, first.json()["last_status"]) == (201, "resuming")
        assert (await ada.http.post(f"{path}/resume")).status_code == 409

    async def test_a_resume_of_a_resume_points_at_the_first_original(self, ada: Person) -> None:
        made = await create(ada, config=SPEC)
        id = made["id"]
        for _ in range(2):
            await ada.http.post(f"{PATH}/{id}/stop")
            answer = await ada.http.post(f"{PATH}/{id}/resume")
            assert answer.json()["original"] == made["unique_name"]
            id = answer.json()["id"]

    async def test_its_original_is_null_once_that_is_deleted(self, ada: Person) -> None:
        made = await create(ada)
        clone = (await ada.http.post(f"{PATH}/{made['id']}/restart")).json()
        await ada.http.delete(f"{PATH}/{made['id']}")
        row = (await ada.http.get(f"{PATH}/{clone['id']}")).json()
        assert (row["original"], row["is_clone"]) == (None, True)
