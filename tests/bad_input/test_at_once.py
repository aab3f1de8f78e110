"""Two clients that change, stop and delete the same experiment at once: each gets one clear answer."""

import asyncio

import httpx
import pytest

from tests.bad_input.conftest import Lab
from tests.live import Live

ROUNDS = 10


async def at_once(live: Live, lab: Lab, *calls: tuple[str, str, object]) -> list[httpx.Response]:
    """Make these calls together, twice each, from two clients."""
    async with live.client(lab.owner.token) as one, live.client(lab.owner.token) as other:
        made = [
            client.request(method, f"{lab.path}{below}", json=body)
            for method, below, body in calls
            for client in (one, other)
        ]
        return await asyncio.gather(*made)


async def another(lab: Lab) -> Lab:
    answer = await lab.owner.http.post("/ada/lab/experiments", json={})
    return Lab(lab.owner, answer.json()["id"])


async def test_stopped_at_once_it_is_stopped_once(live: Live, lab: Lab) -> None:
    for _ in range(ROUNDS):
        experiment = await another(lab)
        answers = await at_once(live, experiment, ("POST", "/stop", None))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        history = (await lab.owner.http.get(f"{experiment.path}/statuses")).json()["results"]
        assert [row["status"] for row in history] == ["created", "stopped"]


async def test_deleted_at_once_it_is_gone_once(live: Live, lab: Lab) -> None:
    for _ in range(ROUNDS):
        experiment = await another(lab)
        answers = await at_once(live, experiment, ("DELETE", "", None))
        codes = sorted(answer.status_code for answer in answers)
        assert codes in ([204, 204], [204, 404])
        assert (await lab.owner.http.get(experiment.path)).status_code == 404


async def test_changed_at_once_no_change_is_lost(live: Live, lab: Lab) -> None:
    for number in range(ROUNDS):
        experiment = await another(lab)
        answers = await at_once(
            live,
            experiment,
            ("PATCH", "", {"description": f"d{number}"}),
            ("PATCH", "", {"name": f"n{number}"}),
            ("PATCH", "", {"tags": [f"t{number}"], "declarations": {"a": number}, "merge": True}),
            ("PATCH", "", {"tags": [f"u{number}"], "declarations": {"b": number}, "merge": True}),
        )
        assert {answer.status_code for answer in answers} == {200}
        row = (await lab.owner.http.get(experiment.path)).json()
        assert (row["description"], row["name"]) == (f"d{number}", f"n{number}")
        assert set(row["tags"]) == {f"t{number}", f"u{number}"}
        assert row["declarations"] == {"a": number, "b": number}


async def test_named_alike_at_once_one_has_the_name(live: Live, lab: Lab) -> None:
    first, second = await another(lab), await another(lab)
    async with live.client(lab.owner.token) as client:
        answers = await asyncio.gather(
            *(client.patch(experiment.path, json={"name": "wanted"}) for experiment in (first, second))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 400]


async def test_created_alike_at_once_one_has_the_name(live: Live, lab: Lab) -> None:
    async with live.client(lab.owner.token) as client:
        answers = await asyncio.gather(
            *(client.post("/ada/lab/experiments", json={"name": "wanted"}) for _ in range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7


@pytest.mark.parametrize("ended", ["stop", "post"])
async def test_changed_stopped_ended_and_deleted_at_once_each_gets_a_clear_answer(
    live: Live, lab: Lab, ended: str
) -> None:
    for number in range(ROUNDS):
        experiment = await another(lab)
        end: tuple[str, str, object] = ("POST", "/stop", None)
        if ended == "post":
            end = ("POST", "/statuses", {"status": "succeeded"})
        answers = await at_once(
            live,
            experiment,
            ("PATCH", "", {"description": f"d{number}"}),
            end,
            ("POST", "/metrics", {"values": {"a": number}}),
            ("POST", "/logs", "a line"),
            ("DELETE", "", None),
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 404, 409}
        assert 204 in {answer.status_code for answer in answers}
        assert (await lab.owner.http.get(experiment.path)).status_code == 404
        page = (await lab.owner.http.get("/ada/lab/experiments")).json()
        assert experiment.id not in [row["id"] for row in page["results"]]
