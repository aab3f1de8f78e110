"""One metric over time, thinned."""

from typing import Any

import pytest

from app.db.metrics import read
from tests.api.tracked import add_tracked
from tests.people import Person


async def history(person: Person, path: str, name: str = "loss", **params: int) -> dict[str, Any]:
    answer = await person.http.get(f"{path}/metrics/history", params={"name": name, **params})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def log(person: Person, path: str, points: list[dict[str, Any]]) -> None:
    answer = await person.http.post(f"{path}/metrics/batch", json={"points": points})
    assert answer.status_code == 201, answer.text


def points_of(values: list[Any]) -> list[dict[str, Any]]:
    return [{"values": {"loss": value, "other": 1}, "step": i} for i, value in enumerate(values)]


async def test_a_short_history_is_whole_with_steps_and_times(ada: Person) -> None:
    path = await add_tracked(ada)
    await log(
        ada,
        path,
        [
            {"values": {"loss": 2, "other": 1}, "step": -7, "created_at": "2018-10-01T12:00:00.000001Z"},
            {"values": {"other": 1}, "step": 3, "created_at": "2018-10-01T12:00:01Z"},
            {"values": {"loss": "NaN"}, "created_at": "1970-01-01"},
            {"values": {"loss": 0.1}, "step": 2**62, "created_at": "2018-10-01T12:00:02Z"},
        ],
    )
    assert await history(ada, path) == {
        "name": "loss",
        "count": 3,
        "points": [
            {"step": None, "created_at": "1970-01-01T00:00:00.000000+00:00", "value": "NaN"},
            {"step": -7, "created_at": "2018-10-01T12:00:00.000001+00:00", "value": 2},
            {"step": 2**62, "created_at": "2018-10-01T12:00:02.000000+00:00", "value": 0.1},
        ],
    }


async def test_a_name_that_was_never_logged_has_no_points(ada: Person) -> None:
    path = await add_tracked(ada)
    await log(ada, path, points_of([1]))
    assert await history(ada, path, "nothing") == {"name": "nothing", "count": 0, "points": []}


@pytest.mark.parametrize("name", ["", 'a"b', "a'b", "a.b", "é", ":x", "%s", "a,b"])
async def test_any_name_is_found(ada: Person, name: str) -> None:
    path = await add_tracked(ada)
    await log(ada, path, [{"values": {name: 5}}])
    assert (await history(ada, path, name))["points"][0]["value"] == 5


async def test_a_long_history_keeps_its_ends_and_every_peak(ada: Person) -> None:
    path = await add_tracked(ada)
    values = [float(i % 10) for i in range(5000)]
    values[1234], values[4321] = 1000.0, -1000.0
    await log(ada, path, points_of(values))
    body = await history(ada, path, max_points=100)
    steps = [point["step"] for point in body["points"]]
    assert body["count"] == 5000
    assert len(steps) == 100
    assert steps == sorted(steps)
    assert {0, 1234, 4321, 4999} <= set(steps)
    assert all(point["value"] == values[point["step"]] for point in body["points"])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_slices_of_the_reading_dont_show(
    ada: Person, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await add_tracked(ada)
    points = points_of([float(i * 7 % 11) for i in range(20)])
    for point in points[::3]:
        del point["values"]["loss"]
    await log(ada, path, points)  # all of one time: ids part the slices
    whole, thinned = await history(ada, path), await history(ada, path, max_points=8)
    again = await add_tracked(ada)
    await log(ada, again, points)
    monkeypatch.setattr(read, "SLICE", size)
    for body, wanted in (
        (await history(ada, again), whole),
        (await history(ada, again, max_points=8), thinned),
    ):
        assert [p["step"] for p in body["points"]] == [p["step"] for p in wanted["points"]]
        assert [p["value"] for p in body["points"]] == [p["value"] for p in wanted["points"]]


@pytest.mark.parametrize("time", [None, "2001-01-01"], ids=["now", "earlier"])
async def test_a_new_point_shows_at_once(ada: Person, time: str | None) -> None:
    path = await add_tracked(ada)
    await log(ada, path, points_of([1, 2]))
    first = await history(ada, path)
    assert await history(ada, path) == first
    await log(ada, path, [{"values": {"loss": 3}, "created_at": time}])
    values = [point["value"] for point in (await history(ada, path))["points"]]
    assert values == ([1, 2, 3] if time is None else [3, 1, 2])


@pytest.mark.parametrize("max_points", [1, 0, -1, 10_001, "x", ""])
async def test_the_size_has_bounds(ada: Person, max_points: Any) -> None:
    path = await add_tracked(ada)
    answer = await ada.http.get(f"{path}/metrics/history", params={"name": "loss", "max_points": max_points})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["query", "max_points"]


async def test_a_name_must_be_given_and_be_text(ada: Person) -> None:
    path = await add_tracked(ada)
    for query in ("", "?name=%00", f"?name={'x' * 257}"):
        answer = await ada.http.get(f"{path}/metrics/history{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["loc"] == ["query", "name"]
