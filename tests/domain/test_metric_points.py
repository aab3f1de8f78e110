"""What a point of metrics may be, and which value of each key is the newest."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.metric_json import parse_metric_json
from app.domain.metric_points import (
    MAX_POINTS,
    Point,
    newest_values,
    read_batch,
    read_point,
    read_points,
    read_time,
)
from app.errors import BadInput, Location

NOON = datetime(2018, 10, 1, 12, tzinfo=UTC)


def mistakes(read: Any, item: object) -> list[tuple[Location, str]]:
    """Where and what kind."""
    with pytest.raises(BadInput) as caught:
        read(item)
    return [(place.loc, place.type) for place in caught.value.errors or ()]


def test_a_point_has_values_and_may_have_a_step_and_a_time() -> None:
    item = {"values": {"loss": 0.5, "epoch": 3}, "step": 7, "created_at": "2018-10-01T12:00:00Z"}
    assert read_point(item) == Point({"loss": 0.5, "epoch": 3}, 7, NOON)
    assert read_point({"values": {}}) == Point({}, None, None)
    assert read_point({"values": {}, "step": None, "created_at": None}) == Point({}, None, None)


def test_unknown_keys_are_ignored() -> None:
    item = {"values": {"loss": 1}, "id": 4, "uuid": None, "experiment": "x", "\0": "\ud800"}
    assert read_point(item) == Point({"loss": 1})


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_special_numbers_become_plain_strings(word: str) -> None:
    point = read_point(parse_metric_json(f'{{"values": {{"a": {word}, "b": "{word}"}}}}'.encode()))
    assert point.values == {"a": word, "b": word}
    assert {type(value) for value in point.values.values()} == {str}


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (True, "type_error"),
        (False, "type_error"),
        (None, "type_error"),
        ("0.5", "type_error"),
        ("nan", "type_error"),
        ("inf", "type_error"),
        ("", "type_error"),
        ([1], "type_error"),
        ({"a": 1}, "type_error"),
        (float("inf"), "too_large"),
        (float("-inf"), "too_large"),
    ],
)
def test_what_is_no_number_is_refused(number: object, kind: str) -> None:
    assert mistakes(read_point, {"values": {"loss": number}}) == [(("values", "loss"), kind)]


@pytest.mark.parametrize(
    ("name", "kind"), [("a\0b", "bad_text"), ("\ud800", "bad_text"), ("x" * 257, "too_long")]
)
def test_a_name_that_cannot_be_kept_is_refused(name: str, kind: str) -> None:
    assert mistakes(read_point, {"values": {name: 1}}) == [(("values",), kind)]


@pytest.mark.parametrize("name", ["", "loss", "é" * 256, "a.b/c d", '"quoted"'])
def test_any_other_text_is_a_name(name: str) -> None:
    assert read_point({"values": {name: 1}}).values == {name: 1}


@pytest.mark.parametrize(
    ("item", "loc"),
    [
        ([], ("body",)),
        ("x", ("body",)),
        (None, ("body",)),
        ({}, ("values",)),
        ({"values": None}, ("values",)),
        ({"values": []}, ("values",)),
        ({"values": 3}, ("values",)),
        ({"values": {}, "step": "3"}, ("step",)),
        ({"values": {}, "step": 2.5}, ("step",)),
        ({"values": {}, "step": True}, ("step",)),
        ({"values": {}, "step": 2**63}, ("step",)),
        ({"values": {}, "step": -(2**63)}, ("step",)),
        ({"values": {}, "step": 1e300}, ("step",)),
        ({"values": {}, "step": float("inf")}, ("step",)),
        ({"values": {}, "created_at": "yesterday"}, ("created_at",)),
        ({"values": {}, "created_at": 1538395200}, ("created_at",)),
        ({"values": {}, "created_at": ""}, ("created_at",)),
        ({"values": {}, "created_at": "2018-13-01"}, ("created_at",)),
        ({"values": {}, "created_at": "2018-10-01T25:00:00"}, ("created_at",)),
        ({"values": {}, "created_at": "0001-01-01T00:00:00+10:00"}, ("created_at",)),
        ({"values": {}, "created_at": "9999-12-31T23:59:59-10:00"}, ("created_at",)),
        *(
            # The database's driver would store infinity, which is no time to show or to sort by.
            ({"values": {}, "created_at": end}, ("created_at",))
            for end in ("0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
        ),
        ({"values": {}, "created_at": "2018-10-01\ud80012:00"}, ("created_at",)),
        ({"values": {}, "created_at": "2018-10-01T12:00\0"}, ("created_at",)),
    ],
)
def test_a_mistake_is_named_by_its_place(item: object, loc: Location) -> None:
    assert [found for found, _ in mistakes(read_point, item)] == [loc]


def test_every_mistake_is_named_up_to_a_hundred() -> None:
    items: list[object] = [{"values": {"a": "x"}, "step": "x"}, {"values": {"a": 1}}, 3]
    found = [loc for loc, _ in mistakes(read_points, items)]
    assert found == [(0, "values", "a"), (0, "step"), (2,)]
    assert len(mistakes(read_points, [3] * 1000)) == 100


def test_a_whole_float_is_a_step() -> None:
    assert read_point({"values": {}, "step": 3.0}).step == 3


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2018-10-01 12:00:00.000000+00:00", NOON),  # the old trackers' form
        ("2018-10-01T12:00:00+00:00", NOON),
        ("2018-10-01T12:00:00Z", NOON),
        ("2018-10-01T14:00:00+02:00", NOON),
        ("2018-10-01 12:00", NOON),
        ("2018-10-01T12:00:00.5", NOON + timedelta(seconds=0.5)),
        ("2018-10-01", NOON - timedelta(hours=12)),
        ("20181001T120000Z", NOON),
        ("2018-10-01 12:00:00 +00:00", NOON),
        ("0001-01-01T00:00:00.000001", datetime(1, 1, 1, microsecond=1, tzinfo=UTC)),
    ],
)
def test_times_are_iso_8601_and_utc_without_a_zone(text: str, time: datetime) -> None:
    read = read_time(text)
    assert read == time
    assert read.tzinfo is UTC


@given(st.datetimes(timezones=st.timezones()))
def test_every_time_that_python_writes_is_read(time: datetime) -> None:
    try:
        wanted = time.astimezone(UTC)
    except OverflowError:
        return
    assert read_time(time.isoformat()) == wanted
    assert read_time(str(time)) == wanted


def test_points_come_all_or_none() -> None:
    points = read_points([{"values": {"a": 1}, "step": 1}, {"values": {"b": "NaN"}}])
    assert points.rows == [Point({"a": 1}, 1), Point({"b": "NaN"})]
    assert json.loads(points.text) == [
        {"values": {"a": 1}, "step": 1, "created_at": None},
        {"values": {"b": "NaN"}, "step": None, "created_at": None},
    ]
    assert read_points([]).rows == []


def test_an_array_has_a_limit_and_is_one() -> None:
    assert mistakes(read_points, [{}] * (MAX_POINTS + 1)) == [(("body",), "too_large")]
    assert mistakes(read_points, {}) == [(("body",), "type_error")]


@pytest.mark.parametrize(
    ("item", "loc"),
    [
        (3, ("body",)),
        ({}, ("points",)),
        ({"points": None}, ("points",)),
        ({"points": {}}, ("points",)),
        ({"points": [{"values": {"a": None}}]}, ("points", 0, "values", "a")),
        ({"points": [], "batch_id": 3}, ("batch_id",)),
        ({"points": [], "batch_id": ""}, ("batch_id",)),
        ({"points": [], "batch_id": "x" * 129}, ("batch_id",)),
        ({"points": [], "batch_id": "\0"}, ("batch_id",)),
        (parse_metric_json(b'{"points": [], "batch_id": NaN}'), ("batch_id",)),
    ],
)
def test_a_batch_is_points_and_maybe_an_id(item: object, loc: Location) -> None:
    assert [found for found, _ in mistakes(read_batch, item)] == [loc]


def test_a_batchs_hash_is_its_contents_and_not_its_form() -> None:
    def hash_of(points: str) -> str:
        return read_batch(parse_metric_json(f'{{"points": {points}}}'.encode())).hash

    base = hash_of('[{"values": {"a": 1.50, "b": NaN}, "created_at": "2018-10-01T12:00:00Z"}]')
    same = '[{"created_at":"2018-10-01 14:00:00+02:00","x":1,"step":null,"values":{"b":"NaN","a":1.5}}]'
    assert hash_of(same) == base
    assert hash_of('[{"values": {"a": 1.5, "b": NaN}}]') != base
    assert hash_of(same.replace("1.5", "1.6")) != base


WORDS = st.sampled_from(["NaN", "Infinity", "-Infinity"])
POINTS = st.lists(
    st.builds(
        Point,
        values=st.dictionaries(
            st.sampled_from("abc"), st.floats(allow_nan=False, allow_infinity=False) | WORDS
        ),
        created_at=st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
    ),
    max_size=12,
)


@given(POINTS)
def test_the_newest_value_of_a_key_is_by_time_then_position_apart_for_those_of_now(
    points: list[Point],
) -> None:
    found = {(n.key, n.created_at is None): n for n in newest_values(points)}
    wanted: dict[tuple[str, bool], list[tuple[datetime, int]]] = {}
    for position, point in enumerate(points):
        for key in point.values:
            at = (point.created_at or NOON, position)
            wanted.setdefault((key, point.created_at is None), []).append(at)
    assert found.keys() == wanted.keys()
    for which, candidates in wanted.items():
        time, position = max(candidates)
        newest = found[which]
        assert (newest.created_at or NOON, newest.position, newest.rows) == (time, position, len(candidates))
        assert repr(newest.value) == repr(float(points[position].values[which[0]]))
