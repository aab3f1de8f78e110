"""The times of the search language: what is written, and which stretch of time an expression on it means."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from app.domain.query.conditions import During, Operator

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)

# A `+` that nobody escaped reaches us as a space, and these zones only follow a full time: so
# `12:00 02:00` can only have been `12:00+02:00`.
_TIME = re.compile(
    r"""
    (?P<date> \d{4}-\d{2}-\d{2} | \d{8} | \d{4}-W\d{2}-\d | \d{4}W\d{3} )
    (?: (?:[Tt]|[ ]+) (?P<hour>\d{2})
        (?: (?P<colon>:?) (?P<minute>\d{2})
            (?: (?P=colon) (?P<second>\d{2}) (?: [.,] (?P<fraction>\d+) )? )?
        )?
        (?: [ ]* (?P<zulu>[Zz])
          | [ ]* (?P<sign>[-+]) (?P<zone_hours>\d{2}) (?: :? (?P<zone_minutes>[0-5]\d) )?
          | [ ]+ (?P<lost_hours>\d{2}) : (?P<lost_minutes>[0-5]\d)
        )?
    )?
    """,
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A written time: its instant in UTC, and how long what it names lasts (a day, a minute, …)."""

    start: datetime
    lasts: timedelta

    @property
    def is_day(self) -> bool:
        return self.lasts == DAY


def read_moment(text: str) -> Moment:
    """The time that `text` names, as a date, `YYYY-MM-DD HH:MM[:SS]`, or ISO 8601; UTC without a zone.

    Digits below a microsecond are dropped.

    Raises:
        ValueError: it is none of these, or there is no such time.
        OverflowError: in UTC it is outside the years 1 to 9999.
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError("not a time")
    day = date.fromisoformat(found["date"])
    if found["hour"] is None:
        return Moment(datetime.combine(day, time(), UTC), DAY)
    fraction = (found["fraction"] or "")[:6]
    clock = time(
        int(found["hour"]),
        int(found["minute"] or 0),
        int(found["second"] or 0),
        int(fraction.ljust(6, "0")) if fraction else 0,
        _zone(found),
    )
    if found["minute"] is None:
        lasts = timedelta(hours=1)
    elif found["second"] is None:
        lasts = timedelta(minutes=1)
    else:
        lasts = timedelta(microseconds=10 ** (6 - len(fraction)))
    return Moment(datetime.combine(day, clock).astimezone(UTC), lasts)


def _zone(found: re.Match[str]) -> timezone:
    if found["lost_hours"]:
        return timezone(timedelta(hours=int(found["lost_hours"]), minutes=int(found["lost_minutes"])))
    if not found["sign"]:
        return UTC
    offset = timedelta(hours=int(found["zone_hours"]), minutes=int(found["zone_minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset)


def at(moment: Moment) -> During:
    """Equals: what lies in the day, hour, minute, second or fraction that is written.

    Nothing else could be meant by `created_at:2018-10-01 12:30` where times are stored in microseconds.
    """
    return During(moment.start, _later(moment.start, moment.lasts))


def compare(operator: Operator, moment: Moment) -> During:
    """A compare: a date is its whole day (`>` begins after it, `<=` ends with it), a time its instant."""
    if operator is Operator.GREATER:
        return During(_end(moment), None)
    if operator is Operator.AT_LEAST:
        return During(moment.start, None)
    if operator is Operator.LESS:
        return During(None, moment.start)
    return During(None, _end(moment))


def between(low: Moment, high: Moment) -> During:
    """A range, both ends included: as `>=` of the one and `<=` of the other."""
    return During(low.start, _end(high))


def _end(moment: Moment) -> datetime:
    return _later(moment.start, DAY if moment.is_day else MICROSECOND)


def _later(start: datetime, by: timedelta) -> datetime:
    """`start + by`, or the last time there is."""
    last = datetime.max.replace(tzinfo=UTC)
    return start + by if last - start > by else last
