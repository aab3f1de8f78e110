"""The search language in plain Python over rows in memory: what every store must agree with."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.domain.query.conditions import (
    Between,
    Compare,
    Condition,
    During,
    Expression,
    Field,
    OneOf,
    Operator,
    SortKey,
)


@dataclass(frozen=True)
class Row:
    """What an experiment is searched by. `declarations` is JSON as Python reads it."""

    id: int
    status: str
    created_at: datetime
    updated_at: datetime
    user_id: int
    username: str
    project_id: int
    project: str
    owner: str
    name: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    tags: Sequence[str] | None = None
    build_id: int | None = None
    commit: str | None = None
    declarations: Mapping[str, Any] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def matches(condition: Condition, row: Row) -> bool:
    found = any(meets(condition.expression, value) for value in values(condition, row))
    return found != condition.negated


def search(rows: Iterable[Row], conditions: Sequence[Condition], sort: Sequence[SortKey] = ()) -> list[int]:
    """The ids of the rows that all conditions find, sorted."""
    found = sorted(
        (row for row in rows if all(matches(condition, row) for condition in conditions)),
        key=lambda row: row.id,
    )
    # Sorting is stable, so the last key goes first.
    for key in reversed(sort):
        valued = [(rank(key, row), row) for row in found]
        with_value = [(value, row) for value, row in valued if value is not None]
        with_value.sort(key=lambda pair: pair[0], reverse=key.descending)
        found = [row for _, row in with_value] + [row for value, row in valued if value is None]
    return [row.id for row in found]


def values(condition: Condition, row: Row) -> list[Any]:
    """What the row has for a condition's field: nothing, one value, or several."""
    several: dict[Field, list[Any]] = {
        Field.INDEPENDENT: [True],
        Field.GROUP_ID: [],
        Field.TAGS: list(row.tags or []),
        Field.PROJECT_NAME: [row.project, f"{row.owner}.{row.project}"],
    }
    if condition.field in several:
        return several[condition.field]
    if condition.field is Field.DECLARATION:
        assert condition.key is not None
        return declared(row.declarations or {}, condition.key)
    value = single(condition.field, condition.key, row)
    return [] if value is None else [value]


def single(field: Field, key: str | None, row: Row) -> Any:
    if field is Field.METRIC:
        value = row.metrics.get(key or "", math.nan)
        return None if math.isnan(value) else value
    plain = {
        Field.USERNAME: row.username,
        Field.USER_ID: row.user_id,
        Field.PROJECT_ID: row.project_id,
        Field.BUILD_ID: row.build_id,
    }
    return plain[field] if field in plain else getattr(row, field.value)


def declared(declarations: Mapping[str, Any], key: str) -> list[Any]:
    """The key's value, in a list that is empty where it is not declared."""
    if key in declarations:
        return [declarations[key]]
    first, dot, rest = key.partition(".")
    inside = declarations.get(first)
    return declared(inside, rest) if dot and isinstance(inside, dict) else []


def meets(expression: Expression, value: Any) -> bool:
    if isinstance(expression, OneOf):
        return any(same(value, one) for one in expression.values)
    if isinstance(expression, During):
        since, until = expression.since, expression.until
        return (since is None or since <= value) and (until is None or value < until)
    if isinstance(expression, Between):
        return bool(expression.low <= value <= expression.high)
    return compares(expression, value)


def compares(expression: Compare, value: Any) -> bool:
    if is_number(value) != is_number(expression.value) or isinstance(value, bool | list | dict | None):
        return False
    left: Any = exact(value) if is_number(value) else value
    right: Any = exact(expression.value) if is_number(expression.value) else expression.value
    answers: dict[Operator, bool] = {
        Operator.GREATER: left > right,
        Operator.AT_LEAST: left >= right,
        Operator.LESS: left < right,
        Operator.AT_MOST: left <= right,
    }
    return answers[expression.operator]


def same(left: Any, right: Any) -> bool:
    if is_number(left) and is_number(right):
        return exact(left) == exact(right)
    return type(left) is type(right) and left == right


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def exact(number: Any) -> Decimal:
    """The number as it is written: JSON's 0.1 is a tenth, not the double next to it."""
    return Decimal(repr(number))


def rank(key: SortKey, row: Row) -> Any:
    """What the row is sorted by, None where it has no value."""
    if key.field is not Field.DECLARATION:
        return single(key.field, key.key, row)
    for value in declared(row.declarations or {}, key.key or ""):
        if isinstance(value, str):
            return (0, value, 0)
        if isinstance(value, bool):
            return (2, "", value)
        if is_number(value):
            return (1, "", exact(value))
    return None
