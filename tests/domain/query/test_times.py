"""Which stretch of time each written time means."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.query.conditions import During, Field
from app.domain.query.parsing import parse_query
from app.errors import BadInput


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bound(text: str | None) -> datetime | None:
    return None if text is None else utc(text)


def during(expression: str) -> During:
    (condition,) = parse_query(f"started_at:{expression}")
    assert condition.field is Field.STARTED_AT
    assert isinstance(condition.expression, During)
    return condition.expression


@pytest.mark.parametrize(
    ("text", "instant", "lasts"),
    [
        ("2018-10-01", "2018-10-01", timedelta(days=1)),
        ("20181001", "2018-10-01", timedelta(days=1)),
        ("2018-W40-1", "2018-10-01", timedelta(days=1)),
        ("2018W401", "2018-10-01", timedelta(days=1)),
        ("2018-10-01 12", "2018-10-01T12:00", timedelta(hours=1)),
        ("2018-10-01 12:30", "2018-10-01T12:30", timedelta(minutes=1)),
        ("2018-10-01 12:30:15", "2018-10-01T12:30:15", timedelta(seconds=1)),
        ("2018-10-01T12:30:15", "2018-10-01T12:30:15", timedelta(seconds=1)),
        ("2018-10-01t12:30:15z", "2018-10-01T12:30:15", timedelta(seconds=1)),
        ("20181001T123015Z", "2018-10-01T12:30:15", timedelta(seconds=1)),
        ("2018-10-01T12:30:15.5Z", "2018-10-01T12:30:15.5", timedelta(milliseconds=100)),
        ("2018-10-01T12:30:15.123Z", "2018-10-01T12:30:15.123", timedelta(milliseconds=1)),
        ('"2018-10-01T12:30:15,123Z"', "2018-10-01T12:30:15.123", timedelta(milliseconds=1)),
        ("2018-10-01T12:30:15.123456789", "2018-10-01T12:30:15.123456", timedelta(microseconds=1)),
        ("2018-10-01T12:30:15.764283+02:00", "2018-10-01T10:30:15.764283", timedelta(microseconds=1)),
        ("2018-10-01T00:30:15-0530", "2018-10-01T06:00:15", timedelta(seconds=1)),
        ("2018-10-01 12:30 +02", "2018-10-01T10:30", timedelta(minutes=1)),
        ("2018-10-01T00:30:15.000000 02:00", "2018-09-30T22:30:15", timedelta(microseconds=1)),
    ],
)
def test_a_time_equals_what_lies_in_what_is_written(text: str, instant: str, lasts: timedelta) -> None:
    assert during(text) == During(utc(instant), utc(instant) + lasts)


@pytest.mark.parametrize(
    ("expression", "since", "until"),
    [
        (">2018-10-01", "2018-10-02", None),
        (">=2018-10-01", "2018-10-01", None),
        ("<2018-10-01", None, "2018-10-01"),
        ("<=2018-10-01", None, "2018-10-02"),
        ("2018-10-01..2018-11-01", "2018-10-01", "2018-11-02"),
        (">2018-10-01 12:30", "2018-10-01T12:30:00.000001", None),
        (">=2018-10-01 12:30", "2018-10-01T12:30", None),
        ("<2018-10-01 12:30", None, "2018-10-01T12:30"),
        ("<=2018-10-01 12:30", None, "2018-10-01T12:30:00.000001"),
        ("2018-10-01 .. 2018-10-01 12:30:15", "2018-10-01", "2018-10-01T12:30:15.000001"),
        ("2018-11-01..2018-10-01", "2018-11-01", "2018-10-02"),
    ],
)
def test_a_date_is_its_whole_day_in_compares_and_ranges_and_a_time_is_its_instant(
    expression: str, since: str | None, until: str | None
) -> None:
    assert during(expression) == During(bound(since), bound(until))


def test_the_last_day_that_there_is_ends_with_the_last_time_that_there_is() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert during("2018-10-01..9999-12-31") == During(utc("2018-10-01"), last)
    assert during(">9999-12-31") == During(last, None)


@pytest.mark.parametrize(
    "text",
    [
        "2018",
        "2018-10",
        "2018-13-01",
        "2018-02-30",
        "2018-W60-1",
        "01.10.2018",
        "2018-10-01x12:30",
        "2018-10-01T",
        "2018-10-01T1:30",
        "2018-10-01T24:00",
        "2018-10-01T12:60",
        "2018-10-01T12:30:60",
        "2018-10-01T12:30:15.",
        "2018-10-01T12:3015",
        "2018-10-01Z",
        "2018-10-01T12:30+24:00",
        "2018-10-01T12:30+01:60",
        "2018-10-01T12:30 Europe/Berlin",
        "٢٠١٨-10-01",
        "0001-01-01T00:00+01:00",
        "9999-12-31T23:59-01:00",
        "now",
        '""',
    ],
)
def test_what_is_no_time_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_query(f"created_at:{text}")
    (place,) = caught.value.errors or ()
    assert (place.loc, place.type) == (("query", 11), "bad_value")
