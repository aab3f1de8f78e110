"""Points of metrics: read from what a tracker sent, checked, and boiled down to the newest of each key."""

import hashlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from app.domain.metric_json import SpecialNumber
from app.domain.metrics import MAX_KEY, MAX_STEP, MIN_STEP, SPECIAL, MetricValue
from app.domain.plain_json import check_text, refuse, show
from app.domain.query.times import read_moment
from app.errors import Location, Place

MAX_POINTS = 100_000
MAX_BATCH_ID = 128
MAX_PLACES = 100
_BODY: Location = ("body",)
_ENDS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class Point(NamedTuple):
    """One row: numbers by key (NaN and the infinities as strings), and when, None for now."""

    values: dict[str, MetricValue]
    step: int | None = None
    created_at: datetime | None = None


class NewestValue(NamedTuple):
    """A key's newest point among several: its `position` from 0, and in how many `rows` the key is.

    Where some come with a time and some are of now, a key has one of each kind, with its own `rows`.
    """

    key: str
    value: float
    created_at: datetime | None
    position: int
    rows: int


class Points(NamedTuple):
    """Points ready to be stored: `text` is them as JSON, an array of objects with a point's keys."""

    rows: Sequence[Point]
    newest: Sequence[NewestValue]
    text: str


class Batch(NamedTuple):
    """Points that are stored once, however often they are sent with the same `batch_id`."""

    batch_id: str | None
    points: Points

    @property
    def hash(self) -> str:
        """Of what is kept: spaces, the order of keys and how a number was written don't count."""
        return hashlib.sha256(self.points.text.encode()).hexdigest()


def read_point(item: object, loc: Location = ()) -> Point:
    """One point: `{values, step?, created_at?}`. Raises BadInput with the place of each mistake."""
    reader = _Reader()
    point = reader.read(item, loc)
    refuse(reader.places)
    return point


def read_points(items: object, loc: Location = ()) -> Points:
    """An array of points, all or none. Raises BadInput with the places of up to a hundred mistakes."""
    reader = _Reader()
    rows = []
    if not isinstance(items, list):
        reader.places.append(Place(loc or _BODY, "must be an array of objects", "type_error"))
    elif len(items) > MAX_POINTS:
        reader.places.append(Place(loc or _BODY, f"must hold at most {MAX_POINTS} points", "too_large"))
    else:
        for i, item in enumerate(items):
            rows.append(reader.read(item, (*loc, i)))
            if len(reader.places) >= MAX_PLACES:
                break
    refuse(reader.places)
    objects = [row._asdict() for row in rows]
    return Points(rows, newest_values(rows), orjson.dumps(objects, option=orjson.OPT_SORT_KEYS).decode())


def read_batch(item: object) -> Batch:
    """A batch: `{batch_id?, points}`. Raises BadInput with the places of up to a hundred mistakes."""
    if not isinstance(item, dict):
        refuse([Place(_BODY, "must be an object", "type_error")])
    assert isinstance(item, dict)
    batch_id = item.get("batch_id")
    loc = ("batch_id",)
    if isinstance(batch_id, str) and not isinstance(batch_id, SpecialNumber):
        refuse(check_text(batch_id, loc, max_length=MAX_BATCH_ID, min_length=1))
    elif batch_id is not None:
        refuse([Place(loc, "must be a text", "type_error")])
    if "points" not in item:
        refuse([Place(("points",), "is missing", "missing")])
    return Batch(batch_id, read_points(item["points"], ("points",)))


def newest_values(points: Sequence[Point]) -> list[NewestValue]:
    """The newest value of each key, by time and then by position; those of now apart from the others."""
    undated: dict[str, int] = {}
    dated: dict[str, int] = {}
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for position, (values, _, created_at) in enumerate(points):
        if created_at is None:
            for key in values:
                undated[key] = position
                counts[0][key] = counts[0].get(key, 0) + 1
        else:
            for key in values:
                known = points[dated.get(key, position)].created_at
                if known is None or known <= created_at:
                    dated[key] = position
                counts[1][key] = counts[1].get(key, 0) + 1
    return [
        NewestValue(key, float(points[at].values[key]), points[at].created_at, at, count[key])
        for newest, count in zip((undated, dated), counts, strict=True)
        for key, at in newest.items()
    ]


class _Reader:
    """Reads points and gathers what is wrong with them. Names are checked once."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._names: set[str] = set()

    def read(self, item: object, loc: Location) -> Point:
        if not isinstance(item, dict):
            self._wrong(loc or _BODY, "must be an object")
            return Point({})
        values = item.get("values")
        if isinstance(values, dict):
            self._check_values(values, loc)
        elif values is None:
            self._wrong((*loc, "values"), "is missing", "missing")
        else:
            self._wrong((*loc, "values"), "must be an object of numbers")
        step = item.get("step")
        created_at = item.get("created_at")
        return Point(
            values,  # type: ignore[arg-type]  # refused above when it is anything else
            None if step is None else self._step(step, (*loc, "step")),
            None if created_at is None else self._time(created_at, (*loc, "created_at")),
        )

    def _check_values(self, values: dict[str, object], loc: Location) -> None:
        """Numbers stay as they are; special ones become plain strings."""
        names = self._names
        for key, number in values.items():
            if key not in names:
                self._check_name(key, (*loc, "values"))
                names.add(key)
            kind = type(number)
            if kind is float:
                if not math.isfinite(number):  # type: ignore[arg-type]
                    self._wrong((*loc, "values", key), "is larger than any number we can keep", "too_large")
            elif kind is not int:
                if not isinstance(number, str) or number not in SPECIAL:
                    self._wrong((*loc, "values", key), 'must be a number, "NaN", "Infinity" or "-Infinity"')
                values[key] = str(number)

    def _check_name(self, key: str, loc: Location) -> None:
        for place in check_text(key, loc, max_length=MAX_KEY):
            self._wrong(loc, f"the name {show(key)} {place.msg}", place.type)

    def _step(self, step: object, loc: Location) -> int | None:
        if isinstance(step, float) and step.is_integer():
            step = int(step)
        if isinstance(step, bool) or not isinstance(step, int):
            self._wrong(loc, "must be a whole number")
        elif not MIN_STEP <= step <= MAX_STEP:
            self._wrong(loc, f"must be a whole number from {MIN_STEP} to {MAX_STEP}", "too_large")
        else:
            return step
        return None

    def _time(self, text: object, loc: Location) -> datetime | None:
        try:
            return read_time(text)
        except (TypeError, ValueError, OverflowError):
            self._wrong(loc, "must be a time: ISO 8601, such as 2018-10-01T12:00:00.000000+00:00")
            return None

    def _wrong(self, loc: Location, message: str, kind: str = "type_error") -> None:
        self.places.append(Place(loc, message, kind))


def read_time(text: object) -> datetime:
    """An ISO 8601 time, also with a space before the clock; in UTC, and without a zone taken as UTC.

    Raises TypeError, ValueError; OverflowError for the first and the last moment that there are, too: the
    driver of the database takes them for minus and plus infinity.
    """
    time = _read_time(text)
    if time in _ENDS:
        raise OverflowError("the first or last moment")
    return time


def _read_time(text: object) -> datetime:
    if not isinstance(text, str):
        raise TypeError("not a text")
    if text[10:11] in {"T", "t", " "} and "\0" not in text:  # the usual form, read ten times as fast
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return read_moment(text).start
