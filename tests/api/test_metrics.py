"""Metrics: logged in every form, listed, and kept as last values."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.db.engine import Sessions
from app.db.tables import LastMetric
from tests.api.logged import last_metric, log, rows_of
from tests.api.tracked import add_tracked, id_of
from tests.people import Person

KEYS = {"id", "uuid", "created_at", "values", "step", "experiment"}


def raw(text: str) -> dict[str, Any]:
    return {"content": text.encode(), "headers": {"Content-Type": "application/json"}}


async def test_a_point_is_answered_and_listed_alike(ada: Person) -> None:
    path = await add_tracked(ada)
    row = await log(ada, path, values={"precision": 0.9, "accuracy": 0.85})
    assert row.keys() == KEYS
    assert row["values"] == {"precision": 0.9, "accuracy": 0.85}
    assert row["experiment"] == id_of(path)
    assert row["step"] is None
    assert row["created_at"].endswith("+00:00")
    assert len(row["uuid"]) == 32
    assert int(row["uuid"], 16)
    assert await rows_of(ada, path) == [row]


async def test_values_come_back_as_they_were_sent(ada: Person) -> None:
    path = await add_tracked(ada)
    values = {
        "float": 0.050211381167173386,
        "tiny": 5e-324,
        "small": 1e-300,
        "huge": 1.7976931348623157e308,
        "integer": 2**53 + 1,
        "unsigned": 2**64 - 1,
        "signed": -(2**63),
        "é\u2028🙂": 0,
        "": 1,
    }
    row = await log(ada, path, values=values, step=-5, created_at="2018-10-01T12:00:00+02:00")
    assert row["values"] == values
    assert row["created_at"] == "2018-10-01T10:00:00.000000+00:00"
    (stored,) = await rows_of(ada, path)
    assert stored == row
    assert stored["values"]["integer"] == 2**53 + 1


async def test_nan_and_infinities_are_taken_as_numbers_and_strings_and_answered_as_strings(
    ada: Person,
) -> None:
    path = await add_tracked(ada)
    text = '{"values": {"a": NaN, "b": Infinity, "c": -Infinity, "d": "NaN", "e": "-Infinity", "f": 1}}'
    answer = await ada.http.post(f"{path}/metrics", **raw(text))
    words = {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": "NaN", "e": "-Infinity", "f": 1}
    assert answer.status_code == 201
    assert answer.json()["values"] == words
    assert (await rows_of(ada, path))[0]["values"] == words
    assert await last_metric(ada, path) == words
    for name, word in words.items():
        history = await ada.http.get(f"{path}/metrics/history", params={"name": name})
        assert [point["value"] for point in history.json()["points"]] == [word]


@pytest.mark.parametrize(
    ("text", "loc"),
    [
        ('{"values": {"a": 1e400}}', ["values", "a"]),
        ('{"values": {"a": -1e400, "b": NaN}}', ["values", "a"]),
        ('{"values": {"a": true}}', ["values", "a"]),
        ('{"values": {"a": null}}', ["values", "a"]),
        ('{"values": {"a": "0.5"}}', ["values", "a"]),
        ('{"values": {"a\\u0000": 1}}', ["values"]),
        ('{"values": {"\\ud800": 1}}', ["values"]),
        ('{"values": {}, "step": NaN}', ["step"]),
        ('{"values": {}, "created_at": NaN}', ["created_at"]),
        ("{}", ["values"]),
        ("3", ["body"]),
        ('[{"values": {"a": 1}}, {"values": {"a": "x"}}]', [1, "values", "a"]),
        ('{"values": {"a": 1}', ["body", 19]),
        ("", ["body"]),
        ("[" * 100_000, ["body", 1024]),
    ],
)
async def test_bad_input_names_its_place_and_stores_nothing(ada: Person, text: str, loc: list[Any]) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.post(f"{path}/metrics", **raw(text))
    assert answer.status_code == 400, answer.text
    (place,) = answer.json()["errors"]
    assert place["loc"][: len(loc)] == loc or (loc == ["body", 1024] and place["loc"][0] == "body")
    assert await rows_of(ada, path) == []
    assert await last_metric(ada, path) is None


async def test_an_array_is_stored_all_or_none_in_its_order(ada: Person) -> None:
    path = await add_tracked(ada)
    points: list[dict[str, Any]] = [{"values": {"loss": 1.0 / (i + 1)}, "step": i} for i in range(30)]
    answer = await ada.http.post(f"{path}/metrics", json=points)
    assert answer.status_code == 201
    body = answer.json()
    assert body.keys() == {"count", "results"}
    assert body["count"] == 30
    assert [row["step"] for row in body["results"]] == list(range(30))
    assert await rows_of(ada, path) == body["results"]
    refused = await ada.http.post(f"{path}/metrics", json=[*points, {"values": {"loss": "no"}}])
    assert refused.status_code == 400
    assert len(await rows_of(ada, path)) == 30


async def test_a_large_array_is_answered_whole(ada: Person) -> None:
    path = await add_tracked(ada)
    points = [{"values": {"loss": i, "accuracy": -i}, "step": i} for i in range(8000)]
    body = json.dumps(points)
    assert len(body) > 256 * 1024
    answer = await ada.http.post(f"{path}/metrics", **raw(body))
    assert [row["step"] for row in answer.json()["results"]] == list(range(8000))
    assert await last_metric(ada, path) == {"loss": 7999, "accuracy": -7999}


async def test_an_empty_array_stores_nothing(ada: Person) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.post(f"{path}/metrics", json=[])
    assert (answer.status_code, answer.json()) == (201, {"count": 0, "results": []})


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
async def test_a_form_may_hold_the_values_as_json(ada: Person, form: str) -> None:
    path = await add_tracked(ada)
    fields = {
        "values": '{"loss": NaN, "accuracy": 0.5}',
        "step": "12",
        "created_at": "2018-10-01 12:00:00.000000+00:00",
        "experiment": "7",
    }
    if form == "urlencoded":
        answer = await ada.http.post(f"{path}/metrics/", data=fields)
    else:
        files = {key: (None, value) for key, value in fields.items()}
        answer = await ada.http.post(f"{path}/metrics/", files=files)
    assert answer.status_code == 201, answer.text
    row = answer.json()
    assert row["values"] == {"loss": "NaN", "accuracy": 0.5}
    assert row["step"] == 12
    assert row["created_at"] == "2018-10-01T12:00:00.000000+00:00"
    assert row["experiment"] == id_of(path)


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({}, "values"),
        ({"step": "1"}, "values"),
        ({"values": "{"}, "values"),
        ({"values": "3"}, "values"),
        ({"values": "{}", "step": "twelve"}, "step"),
        ({"values": "{}", "step": "9" * 19}, "step"),
        ({"values": "{}", "created_at": "now"}, "created_at"),
    ],
)
async def test_a_bad_form_is_refused(ada: Person, fields: dict[str, str], loc: str) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.post(f"{path}/metrics", data=fields or {"x": ""})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["loc"][0] == loc


async def test_a_form_with_an_empty_step_has_none(ada: Person) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.post(f"{path}/metrics", data={"values": '{"a": 1}', "step": ""})
    assert answer.json()["step"] is None


async def test_a_body_over_the_limit_is_413(ada: Person) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.post(f"{path}/metrics", **raw('{"values": {"a": 1}}' + " " * 10 * 1024**2))
    assert answer.status_code == 413


async def test_rows_are_listed_oldest_first_and_paged(ada: Person) -> None:
    path = await add_tracked(ada)
    for step, time in [(1, "2018-10-01"), (2, "2018-09-01"), (3, "2018-10-01"), (4, None)]:
        await log(ada, path, values={"a": step}, step=step, created_at=time)
    assert [row["step"] for row in await rows_of(ada, path)] == [2, 1, 3, 4]
    page = (await ada.http.get(f"{path}/metrics", params={"limit": 2, "offset": 1})).json()
    assert [row["step"] for row in page["results"]] == [1, 3]
    assert page["count"] == 4
    assert "limit=2&offset=3" in page["next"]
    assert "limit=2&offset=0" in page["previous"]
    last = (await ada.http.get(f"{path}/metrics", params={"limit": 2, "offset": 3})).json()
    assert ([row["step"] for row in last["results"]], last["count"], last["next"]) == ([4], 4, None)
    past = (await ada.http.get(f"{path}/metrics", params={"offset": 10**18})).json()
    assert (past["results"], past["count"], past["next"]) == ([], 4, None)


async def test_a_page_has_1000_rows_unless_said(ada: Person) -> None:
    path = await add_tracked(ada)
    await ada.http.post(f"{path}/metrics/batch", json={"points": [{"values": {"a": 1}}] * 1001})
    page = (await ada.http.get(f"{path}/metrics")).json()
    assert (len(page["results"]), page["count"]) == (1000, 1001)
    for limit in (0, 1001, "x"):
        assert (await ada.http.get(f"{path}/metrics", params={"limit": limit})).status_code == 400


async def test_the_last_metric_is_the_newest_by_time_then_by_order(ada: Person) -> None:
    path = await add_tracked(ada)
    await log(ada, path, values={"a": 1, "b": 1}, created_at="2018-10-02")
    await log(ada, path, values={"a": 2}, created_at="2018-10-01")
    assert await last_metric(ada, path) == {"a": 1, "b": 1}
    await log(ada, path, values={"a": 3}, created_at="2018-10-02")
    assert await last_metric(ada, path) == {"a": 3, "b": 1}
    mixed = [
        {"values": {"a": 4, "c": 1}, "created_at": "2100-01-01"},
        {"values": {"a": 5, "c": 2, "b": 2}},
        {"values": {"b": 3}, "created_at": "2018-01-01"},
    ]
    await ada.http.post(f"{path}/metrics", json=mixed)
    assert await last_metric(ada, path) == {"a": 4, "b": 2, "c": 1}


async def test_the_last_metric_is_shown_rounded_and_kept_exact(ada: Person, sessions: Sessions) -> None:
    path = await add_tracked(ada)
    await log(ada, path, values={"loss": 0.050211381167173386, "tiny": 0.00012345678912})
    assert await last_metric(ada, path) == {"loss": 0.0502114, "tiny": 0.0001234568}
    async with sessions() as session:
        values = (await session.execute(select(LastMetric.value).order_by(LastMetric.key))).scalars().all()
    assert values == [0.050211381167173386, 0.00012345678912]


async def test_logging_is_no_update_of_the_experiment(ada: Person) -> None:
    path = await add_tracked(ada)
    before = (await ada.http.get(path)).json()["updated_at"]
    await log(ada, path, values={"a": 1})
    assert (await ada.http.get(path)).json()["updated_at"] == before
