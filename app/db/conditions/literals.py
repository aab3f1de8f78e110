"""Values that stand in the SQL's text, so that Postgres plans for them.

With a parameter, a prepared statement soon has a plan for any value, and that walks a project's newest
experiments whatever the condition: 400 ms instead of 1.5 for a metric that 100 of 100,000 meet. Each text is
planned once instead, for its own values. What a user wrote is quoted by SQLAlchemy for the server's settings.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Double, Text, bindparam, cast, literal_column
from sqlalchemy.dialects.postgresql import TIMESTAMP

NAN: ColumnElement[float] = cast(literal_column("'NaN'"), Double)
_INFINITY: ColumnElement[float] = cast(literal_column("'Infinity'"), Double)


def word(value: str) -> BindParameter[str]:
    return bindparam(None, value, Text, literal_execute=True)


def words(values: Sequence[str]) -> BindParameter[Any]:
    """For `in_`."""
    return bindparam(None, values, Text, expanding=True, literal_execute=True)


def time(value: datetime) -> BindParameter[datetime]:
    return bindparam(None, value, TIMESTAMP(timezone=True), literal_execute=True)


def number(value: float) -> ColumnElement[float]:
    if math.isinf(value):
        return _INFINITY if value > 0 else -_INFINITY
    return bindparam(None, value, Double, literal_execute=True)
