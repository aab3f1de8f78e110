"""Experiments as `contract.md` has them: create, get, list, change, delete, stop."""

import asyncio
import re
from typing import Any

import pytest

from tests.api.experiments import KEYS, PATH, SPEC, create, make_lab
from tests.people import Person

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"


@pytest.fixture(autouse=True)
async def lab(ada: Person) -> None:
    await make_lab(ada)


class TestCreate:
    async def test_it_answers_the_24_documented_keys(self, ada: Person) -> None:
        made = await create(ada, config=SPEC)
        assert set(made) == KEYS
        assert made["unique_name"] == f"ada.lab.{made['id']}"
        assert made["last_status"] == "created"
        assert made["config"] == SPEC
        assert made["declarations"] == {"lr": 1}
        assert made["num_jobs"] == 1
        assert made["is_clone"] is False
        assert made["has_tensorboard"] is None
        assert made["bookmarked"] is False

    async def test_nothing_is_required(self, ada: Person) -> None:
        answer = await ada.http.post(PATH)
        assert answer.status_code == 201
        assert answer.json()["config"] is None

    async def test_the_spec_may_be_a_text_of_yaml(self, ada: Person) -> None:
        text = "version: 1\nkind: experiment\ndeclarations: {rate: 1e-3}\nrun: {cmd: 'true'}\n"
        made = await create(ada, config=text)
        assert made["config"]["declarations"] == {"rate": 0.001}

    async def test_the_bodys_declarations_win_key_by_key(self, ada: Person) -> None:
        spec = {**SPEC, "declarations": {"lr": 1, "twice": "{{ lr * 2 }}"}}
        made = await create(ada, config=spec, declarations={"lr": 5})
        assert made["declarations"] == {"lr": 5, "twice": 10}
        assert made["config"] == spec

    async def test_the_specs_tags_join_its_own(self, ada: Person) -> None:
        made = await create(ada, config={**SPEC, "tags": ["b", "a"]}, tags=["a"])
        assert made["tags"] == ["a", "b"]

    async def test_what_a_tracker_says_of_the_run_is_kept(self, ada: Person) -> None:
        made = await create(ada, run_env={"python": "3.6"}, data_refs={"train": "v1"})
        run = (await ada.http.get(f"{PATH}/{made['id']}/run")).json()
        assert run == {"run_env": {"python": "3.6"}, "data_refs": {"train": "v1"}, "code_reference": None}
        body = {"data_refs": {"test": "v2"}, "merge": True}
        await ada.http.patch(f"{PATH}/{made['id']}", json=body)
        run = (await ada.http.get(f"{PATH}/{made['id']}/run")).json()
        assert run["data_refs"] == {"train": "v1", "test": "v2"}

    async def test_keys_of_the_documents_day_that_are_null_or_unknown_are_ignored(self, ada: Person) -> None:
        made = await create(ada, name=None, config=None, experiment_group=None, whatever=1, id=99, uuid="x")
        assert made["id"] != 99

    async def test_a_body_of_null_is_none(self, ada: Person) -> None:
        """Rust's generated client sends it for a body that is left out."""
        json = {"Content-Type": "application/json"}
        assert (await ada.http.post(PATH, content=b"null", headers=json)).status_code == 201

    @pytest.mark.parametrize(
        ("body", "loc"),
        [
            ({"name": "a b"}, ["name"]),
            ([], ["body"]),
            ({"name": "a" * 129}, ["name"]),
            ({"name": ""}, ["name"]),
            ({"description": "a" * 65_537}, ["description"]),
            ({"tags": ["a"] * 101}, ["tags"]),
            ({"tags": ["a" * 129]}, ["tags", 0]),
            ({"tags": "a"}, ["tags"]),
            ({"ttl": 1.5}, ["ttl"]),
            ({"ttl": "10"}, ["ttl"]),
            ({"ttl": -1}, ["ttl"]),
            ({"config": {"version": 1, "kind": "experiment"}}, ["config", "run"]),
            ({"config": {**SPEC, "build": {"imge": "x"}}}, ["config", "build", "imge"]),
            ({"config": {**SPEC, "run": {"cmd": "{{ nothing }}"}}}, ["config", "run", "cmd"]),
            (
                {"config": {**SPEC, "environment": {"outputs": {"experiments": [10**30]}}}},
                ["config", "environment", "outputs", "experiments", 0],
            ),
        ],
    )
    async def test_bad_input_names_the_place(self, ada: Person, body: dict[str, Any], loc: list[Any]) -> None:
        answer = await ada.http.post(PATH, json=body)
        assert answer.status_code == 400, answer.text
        places = [place["loc"][: len(loc)] for place in answer.json()["errors"]]
        assert loc in places, answer.text
        assert (await ada.http.get(PATH)).json()["count"] == 0

    async def test_outputs_that_are_not_there_are_told_with_the_other_mistakes(self, ada: Person) -> None:
        outputs = {"experiments": [10**9, "a b", "gone"]}
        config = {**SPEC, "environment": {"outputs": outputs}, "build": {"imge": "x"}}
        answer = await ada.http.post(PATH, json={"config": config})
        assert answer.status_code == 400
        there = ["config", "environment", "outputs", "experiments"]
        places = {tuple(place["loc"]): place["type"] for place in answer.json()["errors"]}
        assert ("config", "build", "imge") in places
        assert [places[(*there, index)] for index in range(3)] == ["not_found", "value_error", "not_found"]

    async def test_a_config_of_another_type_is_one_mistake(self, ada: Person) -> None:
        answer = await ada.http.post(PATH, json={"config": 5})
        assert [place["loc"] for place in answer.json()["errors"]] == [["config"]]

    async def test_a_taken_name_is_a_400_that_names_it(self, ada: Person) -> None:
        await create(ada, name="one")
        answer = await ada.http.post(PATH, json={"name": "one"})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["loc"] == ["name"]

    async def test_only_the_owner_and_superusers_create(self, ada: Person, bob: Person, root: Person) -> None:
        assert (await bob.http.post(PATH)).status_code == 404
        assert (await root.http.post(PATH)).status_code == 201
        await ada.http.patch("/ada/lab", json={"is_public": True})
        assert (await bob.http.post(PATH)).status_code == 403


class TestIdempotency:
    async def test_a_repeat_answers_the_first_ones_experiment(self, ada: Person) -> None:
        first = await create(ada, {"Idempotency-Key": "k"}, name="a")
        again = await create(ada, {"Idempotency-Key": "k"}, name="a")
        assert again["id"] == first["id"]

    async def test_concurrent_repeats_make_one(self, ada: Person) -> None:
        made = await asyncio.gather(*(create(ada, {"Idempotency-Key": "k"}) for _ in range(8)))
        assert len({row["id"] for row in made}) == 1
        assert (await ada.http.get(PATH)).json()["count"] == 1

    async def test_another_body_or_call_is_a_409(self, ada: Person) -> None:
        first = await create(ada, {"Idempotency-Key": "k"}, name="a")
        other = await ada.http.post(PATH, json={"name": "b"}, headers={"Idempotency-Key": "k"})
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
        restart = await ada.http.post(f"{PATH}/{first['id']}/restart", headers={"Idempotency-Key": "k"})
        assert (restart.status_code, restart.json()["code"]) == (409, "idempotency_mismatch")

    async def test_after_its_deletion_a_repeat_is_a_409(self, ada: Person) -> None:
        first = await create(ada, {"Idempotency-Key": "k"})
        await ada.http.delete(f"{PATH}/{first['id']}")
        answer = await ada.http.post(PATH, json={}, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_mismatch")

    async def test_a_create_that_failed_leaves_the_key_free(self, ada: Person) -> None:
        bad = await ada.http.post(PATH, json={"name": "a b"}, headers={"Idempotency-Key": "k"})
        assert bad.status_code == 400
        await create(ada, {"Idempotency-Key": "k"}, name="ab")

    @pytest.mark.parametrize("key", ["", "a" * 256, "tab\there"])
    async def test_a_key_is_1_to_255_printable_characters(self, ada: Person, key: str) -> None:
        answer = await ada.http.post(PATH, headers={"Idempotency-Key": key})
        assert answer.status_code == 400


class TestGet:
    async def test_times_have_six_digits_and_utc(self, ada: Person) -> None:
        made = await create(ada)
        assert re.fullmatch(TIME, made["created_at"])

    @pytest.mark.parametrize("id", ["0", "-1", "123456789012345678901234567890", "4"])
    async def test_what_is_not_there_is_a_404(self, ada: Person, id: str) -> None:
        assert (await ada.http.get(f"{PATH}/{id}")).status_code == 404

    async def test_what_is_no_number_is_a_400(self, ada: Person) -> None:
        assert (await ada.http.get(f"{PATH}/abc")).status_code == 400

    async def test_what_the_caller_may_not_see_is_a_404(self, ada: Person, bob: Person) -> None:
        made = await create(ada)
        assert (await bob.http.get(f"{PATH}/{made['id']}")).status_code == 404
        await ada.http.patch("/ada/lab", json={"is_public": True})
        assert (await bob.http.get(f"{PATH}/{made['id']}")).status_code == 200


class TestPaths:
    async def test_slashes_change_nothing(self, ada: Person) -> None:
        made = await create(ada)
        for path in (
            f"{PATH}/{made['id']}/",
            f"/ada/lab//experiments/{made['id']}",
            f"/ada///lab/experiments/{made['id']}//",
        ):
            answer = await ada.http.get(path)
            assert answer.status_code == 200, path

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", f"{PATH}/1", "DELETE, GET, HEAD, PATCH"),
            ("GET", "/users/token", "POST"),  # words of our own paths are no projects' owners
            ("PATCH", "/versions/cli", "GET, HEAD"),
            ("POST", "/bookmarks/ada/experiments", "GET, HEAD"),
            ("GET", "/projects", "POST"),
        ],
    )
    async def test_405_lists_every_method(self, ada: Person, method: str, path: str, allowed: str) -> None:
        answer = await ada.http.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
