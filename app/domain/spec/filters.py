"""The filters of templates, with Jinja's names, arguments and results, each result within its budget."""

import json
import math
from collections.abc import Callable

from app.domain.spec.expressions import TemplateProblem
from app.domain.spec.operators import kind
from app.domain.spec.values import Budget, Undefined, checked

_MAX_DIGITS = 20
_MAX_INDENT = 16
_MAX_STRIPPED = 64  # strip looks at each of these for each character


def join(budget: Budget, value: object, d: object = "") -> object:
    budget.measure(value)
    separator = budget.text(d)
    parts = [budget.text(item) for item in _items(value)]
    budget.spend_text(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def length(budget: Budget, value: object) -> object:
    return len(_items(value))


def to_int(budget: Budget, value: object, default: object = 0, base: object = 10) -> object:
    """Jinja's rule: a text is read in its base, else as a float that is cut; `default` when neither works."""
    radix = _integer(base, "base", 0, 36)
    try:
        if isinstance(value, str):
            budget.spend_text(len(value))
            return checked(int(value, radix))
        return checked(int(value))  # type: ignore[call-overload]
    except (TypeError, ValueError):
        try:
            return checked(int(float(value)))  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return default


def to_float(budget: Budget, value: object, default: object = 0.0) -> object:
    try:
        return checked(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return default


def round_number(budget: Budget, value: object, precision: object = 0, method: object = "common") -> object:
    digits = _integer(precision, "precision", -_MAX_DIGITS, _MAX_DIGITS)
    if not isinstance(value, (int, float)):
        raise TemplateProblem(f"round does not work on {kind(value)}")
    if method == "common":
        return checked(round(value, digits))
    if method not in ("ceil", "floor"):
        raise TemplateProblem("round's method is common, ceil or floor")
    cut = math.ceil if method == "ceil" else math.floor
    try:
        return checked(cut(value * (10**digits)) / (10**digits))
    except OverflowError:
        raise TemplateProblem("gives a number that is too large") from None


def lower(budget: Budget, value: object) -> object:
    return budget.text(value).lower()


def upper(budget: Budget, value: object) -> object:
    return budget.text(value).upper()


def trim(budget: Budget, value: object, chars: object = None) -> object:
    if chars is not None and (not isinstance(chars, str) or len(chars) > _MAX_STRIPPED):
        raise TemplateProblem(f"trim takes a text of at most {_MAX_STRIPPED} characters")
    return budget.text(value).strip(chars)


def replace(budget: Budget, value: object, old: object, new: object, count: object = None) -> object:
    text, before, after = budget.text(value), budget.text(old), budget.text(new)
    most = -1 if count is None else _integer(count, "count", -1, 2**31)
    found = text.count(before) if most < 0 else min(most, text.count(before))
    budget.spend_text(len(text) + found * max(len(after) - len(before), 0))
    return text.replace(before, after, most)


def first(budget: Budget, value: object) -> object:
    items = _items(value)
    return next(iter(items)) if items else Undefined(lambda: "first of nothing is not defined")


def last(budget: Budget, value: object) -> object:
    items = _items(value)
    return next(reversed(items)) if items else Undefined(lambda: "last of nothing is not defined")


def tojson(budget: Budget, value: object, indent: object = None) -> object:
    """As Jinja writes it: keys sorted, `<>&'` escaped, so that it stands safely between single quotes."""
    budget.measure(value)
    spaces = None if indent is None else _integer(indent, "indent", 0, _MAX_INDENT)
    text = json.dumps(value, sort_keys=True, indent=spaces)
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("'", "\\u0027")):
        text = text.replace(character, escaped)
    budget.spend_text(len(text))
    return text


# `default` is the evaluator's own: it alone may look at what is not defined.
FUNCTIONS: dict[str, Callable[..., object]] = {
    "join": join,
    "length": length,
    "int": to_int,
    "float": to_float,
    "round": round_number,
    "lower": lower,
    "upper": upper,
    "trim": trim,
    "replace": replace,
    "first": first,
    "last": last,
    "tojson": tojson,
}


def _items(value: object) -> str | list[object] | dict[str, object]:
    if not isinstance(value, (str, list, dict)):
        raise TemplateProblem(f"{kind(value)} has no items")
    return value


def _integer(value: object, name: str, low: int, high: int) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise TemplateProblem(f"{name} must be a whole number from {low} to {high}")
    return value
