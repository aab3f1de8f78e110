"""Types the values of a condition: what is written becomes what its field takes, or an error at its place."""

import math
import re

from app.domain.lifecycle import Status
from app.domain.query.conditions import Between, Compare, Expression, OneOf, Operator, Scalar
from app.domain.query.fields import Form, Kind
from app.domain.query.mistakes import mistake, shown
from app.domain.query.scanner import Written, WrittenCondition
from app.domain.query.times import Moment, at, between, compare, read_moment
from app.errors import BadInput

_ID = re.compile(r"[0-9]{1,100}")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)
_NO_NUMBER = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
# More digits than a double's largest has, and fewer than `int` refuses to read.
_MAX_DIGITS = 1000
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


def read_expression(kind: Kind, written: WrittenCondition) -> Expression:
    """The expression of a condition on a field of `kind`, which takes its form.

    Raises:
        BadInput: `invalid_query`, at the value that is not one of `kind`.
    """
    values = written.values
    if kind is Kind.TIME:
        moments = [_moment(value) for value in values]
        if written.operator:
            return compare(written.operator, moments[0])
        return between(moments[0], moments[1]) if written.form is Form.RANGE else at(moments[0])
    if kind is Kind.NUMBER:
        numbers = [_metric(value) for value in values]
        if written.operator:
            return Compare(written.operator, numbers[0])
        return Between(numbers[0], numbers[1]) if written.form is Form.RANGE else OneOf((numbers[0],))
    if kind is Kind.DECLARATION:
        return _declared(written.operator, values)
    return OneOf(tuple(_plain(kind, value) for value in values))


def _plain(kind: Kind, value: Written) -> Scalar:
    """A value of a field that takes no compare."""
    if kind is Kind.ID:
        # An id that no row can have (30 digits) is an id all the same: nothing is found.
        if not _ID.fullmatch(value.text):
            raise _bad(value, "an id (a whole number of 100 digits at most)")
        return int(value.text)
    if kind is Kind.FLAG:
        if value.text not in ("true", "false"):
            raise _bad(value, "true or false")
        return value.text == "true"
    if kind is Kind.STATUS and value.text not in list(Status):
        raise _bad(value, f"a status; there are {', '.join(Status)}")
    return value.text


def _moment(value: Written) -> Moment:
    try:
        return read_moment(value.text)
    except ValueError:
        raise _bad(value, "a time (2018-10-01, 2018-10-01 12:30, 2018-10-01 12:30:15, ISO 8601)") from None
    except OverflowError:
        raise _bad(value, "in the years 1 to 9999 of UTC") from None


def _metric(value: Written) -> float:
    if _INFINITY.fullmatch(value.text):
        return float(value.text)
    number = _number(value.text)
    if number is None:
        raise _bad(value, "a number that a double can hold")
    return float(number)


def _number(text: str) -> int | float | None:
    """The finite number that `text` is: whole ones exactly, others as JSON's readers round them."""
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        return None
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def _declared(operator: Operator | None, values: tuple[Written, ...]) -> OneOf | Compare:
    if operator is None:
        return OneOf(tuple(meaning for value in values for meaning in _meanings(value)))
    value = values[0]
    if value.quoted:
        return Compare(operator, value.text)
    number = _number(value.text)
    if number is None and (_NUMBER.fullmatch(value.text) or _NO_NUMBER.fullmatch(value.text)):
        raise _bad(value, "a number that can be compared (quote it to compare it as text)")
    return Compare(operator, value.text if number is None else number)


def _meanings(value: Written) -> tuple[Scalar, ...]:
    """What a declared value may be: the text; unquoted also the number, true, false or null it spells."""
    if value.quoted:
        return (value.text,)
    if value.text in _WORDS:
        return (value.text, _WORDS[value.text])
    number = _number(value.text)
    return (value.text,) if number is None else (value.text, number)


def _bad(value: Written, wanted: str) -> BadInput:
    return mistake("query", value.position, f"{shown(value.text)} is not {wanted}", "bad_value")
