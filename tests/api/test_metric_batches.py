"""Batches: stored once, however often they are sent."""

import asyncio
from typing import Any

import pytest

from tests.api.tracked import add_tracked
from tests.people import Person

POINTS: list[dict[str, Any]] = [
    {"values": {"loss": 1 / (i + 1), "accuracy": i}, "step": i} for i in range(20)
]


async def count_of(person: Person, path: str) -> int:
    count: int = (await person.http.get(f"{path}/metrics")).json()["count"]
    return count


@pytest.mark.parametrize("batch_id", [None, "epoch-1", "é" * 128])
async def test_a_batch_answers_its_id_and_count(ada: Person, batch_id: str | None) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.post(f"{path}/metrics/batch", json={"batch_id": batch_id, "points": POINTS})
    assert (answer.status_code, answer.json()) == (201, {"batch_id": batch_id, "count": 20})
    rows = (await ada.http.get(f"{path}/metrics")).json()["results"]
    assert [row["step"] for row in rows] == list(range(20))
    assert (await ada.http.get(path)).json()["last_metric"] == {"loss": 0.05, "accuracy": 19}


async def test_without_an_id_every_batch_is_new(ada: Person) -> None:
    path = await add_tracked(ada)
    for _ in range(2):
        await ada.http.post(f"{path}/metrics/batch", json={"points": POINTS})
    assert await count_of(ada, path) == 40


@pytest.mark.parametrize("points", [POINTS, []], ids=["points", "empty"])
async def test_a_repeat_changes_nothing_and_answers_the_same(ada: Person, points: Any) -> None:
    path = await add_tracked(ada)
    body = {"batch_id": "one", "points": points}
    answers = [await ada.http.post(f"{path}/metrics/batch", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert {answer.text for answer in answers} == {answers[0].text}
    assert await count_of(ada, path) == len(points)


async def test_another_content_is_refused(ada: Person) -> None:
    path = await add_tracked(ada)
    await ada.http.post(f"{path}/metrics/batch", json={"batch_id": "one", "points": POINTS})
    for points in ([], POINTS[:-1], [*POINTS[:-1], {"values": {"loss": 0}}], [*POINTS, *POINTS]):
        answer = await ada.http.post(f"{path}/metrics/batch", json={"batch_id": "one", "points": points})
        assert answer.status_code == 409
        assert answer.json()["code"] == "batch_mismatch"
    assert await count_of(ada, path) == 20


async def test_an_id_is_the_experiments_own(ada: Person) -> None:
    one, other = await add_tracked(ada), await add_tracked(ada)
    for path, points in ((one, POINTS), (other, POINTS[:3])):
        answer = await ada.http.post(f"{path}/metrics/batch", json={"batch_id": "one", "points": points})
        assert answer.status_code == 201
    assert (await count_of(ada, one), await count_of(ada, other)) == (20, 3)


async def test_repeats_at_the_same_time_store_it_once(ada: Person) -> None:
    path = await add_tracked(ada)
    body = {"batch_id": "one", "points": POINTS}
    answers = await asyncio.gather(*(ada.http.post(f"{path}/metrics/batch", json=body) for _ in range(12)))
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (201, '{"batch_id":"one","count":20}')
    }
    assert await count_of(ada, path) == 20


async def test_of_different_contents_at_the_same_time_one_wins(ada: Person) -> None:
    path = await add_tracked(ada)
    answers = await asyncio.gather(
        *(
            ada.http.post(f"{path}/metrics/batch", json={"batch_id": "one", "points": POINTS[: i + 1]})
            for i in range(12)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    (won,) = [answer.json()["count"] for answer in answers if answer.status_code == 201]
    assert await count_of(ada, path) == won


async def test_a_bad_point_stores_nothing_and_leaves_the_id_free(ada: Person) -> None:
    path = await add_tracked(ada)
    bad = {"batch_id": "one", "points": [*POINTS, {"values": {"loss": None}}]}
    refused = await ada.http.post(f"{path}/metrics/batch", json=bad)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["loc"] == ["points", 20, "values", "loss"]
    assert await count_of(ada, path) == 0
    answer = await ada.http.post(f"{path}/metrics/batch", json={"batch_id": "one", "points": POINTS})
    assert answer.status_code == 201


async def test_a_form_may_hold_a_batch_too(ada: Person) -> None:
    path = await add_tracked(ada)
    fields = {"batch_id": "one", "points": '[{"values": {"loss": NaN}}]'}
    answer = await ada.http.post(f"{path}/metrics/batch", data=fields)
    assert (answer.status_code, answer.json()) == (201, {"batch_id": "one", "count": 1})
