"""Declared values in SQL: where a key's value is, what it equals and compares with, and its order."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, any_, case, cast, collate, func, literal
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.tables import Experiment
from app.domain.query.conditions import Compare, OneOf, Scalar

_Json = ColumnElement[Any]


def meets(key: str, expression: OneOf | Compare) -> ColumnElement[bool]:
    """The value of `key` equals one in type and value, or compares with one of its type.

    JSON's numbers are compared exactly (1 is 1.0), texts by code points.
    """
    value = _value(key)
    if isinstance(expression, OneOf):
        texts = [_dumps(scalar) for scalar in expression.values]
        return value == any_(cast(literal(texts, ARRAY(Text)), ARRAY(JSONB)))
    compare = expression.operator.value
    if isinstance(expression.value, str):
        return and_(_type(value) == "string", _text(value).bool_op(compare)(literal(expression.value, Text)))
    return and_(_type(value) == "number", value.bool_op(compare)(_json(_dumps(expression.value))))


def order(key: str) -> list[ColumnElement[Any]]:
    """Expressions that sort by the value of `key`: texts, then numbers, then booleans, as jsonb has them.

    Lists, objects and null have no order: they are NULL, as what is not declared.
    """
    value = _value(key)
    kind = _type(value)
    kinds = case((kind == "string", _json('""')), (kind.in_(["number", "boolean"]), value))
    return [kinds, case((kind == "string", _text(value)))]


def _value(key: str) -> _Json:
    """The JSON value of `key`, NULL where it is not declared.

    A key of the whole name wins; else the name up to its first dot is an object's, in which the same holds
    for the rest. Lists are not stepped into: `->` with a text takes objects alone.
    """
    inside: _Json = Experiment.declarations.expression
    steps = key.split(".")
    readings: list[_Json] = []
    for depth, step in enumerate(steps):
        readings.append(_member(inside, ".".join(steps[depth:])))
        inside = _member(inside, step)
    return func.coalesce(*readings) if len(readings) > 1 else readings[0]


def _member(inside: _Json, name: str) -> _Json:
    return inside.op("->", return_type=JSONB())(literal(name, Text))


def _type(value: _Json) -> ColumnElement[str]:
    return func.jsonb_typeof(value, type_=Text())


def _text(value: _Json) -> ColumnElement[str]:
    return collate(value.op("#>>", return_type=Text())(literal([], ARRAY(Text))), "C")


def _json(text: str) -> _Json:
    return cast(literal(text, Text), JSONB)


def _dumps(scalar: Scalar) -> str:
    return json.dumps(scalar, ensure_ascii=False)
