"""Arithmetic and comparisons of templates: Python's, on plain values, each result within its budget."""

import operator
from collections.abc import Callable

from app.domain.spec.expressions import TemplateProblem
from app.domain.spec.values import MAX_BITS, MAX_SIZE, Budget, checked

Number = int | float

_ON_NUMBERS: dict[str, Callable[[Number, Number], object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_COMPARED: dict[str, Callable[[object, object], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,  # type: ignore[dict-item]
    "gteq": operator.ge,  # type: ignore[dict-item]
    "lt": operator.lt,  # type: ignore[dict-item]
    "lteq": operator.le,  # type: ignore[dict-item]
    "in": lambda left, right: left in right,  # type: ignore[operator]
    "notin": lambda left, right: left not in right,  # type: ignore[operator]
}


def binary(symbol: str, left: object, right: object, budget: Budget) -> object:
    """`left symbol right`. Raises TemplateProblem where the types don't fit or the result is too large."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        try:
            if symbol == "**":
                return _power(left, right)
            return checked(_ON_NUMBERS[symbol](left, right))
        except ZeroDivisionError:
            raise TemplateProblem("divides by zero") from None
        except OverflowError:
            raise TemplateProblem("gives a number that is too large") from None
    if symbol == "+":
        if isinstance(left, str) and isinstance(right, str):
            budget.spend_text(len(left) + len(right))
            return left + right
        if isinstance(left, list) and isinstance(right, list):
            budget.measure([left, right])
            return left + right
    if symbol == "*":
        if isinstance(left, int) and isinstance(right, (str, list)):
            return _repeat(right, left, budget)
        if isinstance(right, int) and isinstance(left, (str, list)):
            return _repeat(left, right, budget)
    raise TemplateProblem(f"{symbol} does not work on {kind(left)} and {kind(right)}")


def compare(symbol: str, left: object, right: object, budget: Budget) -> bool:
    """One comparison, by Jinja's name of it. Raises TemplateProblem where the types don't fit."""
    budget.measure(left)
    budget.measure(right)
    try:
        return bool(_COMPARED[symbol](left, right))
    except TypeError:
        raise TemplateProblem(f"{kind(left)} and {kind(right)} can't be compared so") from None


def unary(symbol: str, value: object) -> object:
    """`-value` or `+value` of a number. Raises TemplateProblem for anything else."""
    if not isinstance(value, (int, float)):
        raise TemplateProblem(f"{symbol} does not work on {kind(value)}")
    return -value if symbol == "-" else +value


def kind(value: object) -> str:
    """What a value is, in words."""
    words = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return "nothing (None)" if value is None else words.get(type(value), "an object")


def _power(base: Number, exponent: Number) -> object:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and (int(base).bit_length() - 1) * exponent > MAX_BITS:
        raise TemplateProblem("gives a number that is too large")
    return checked(base**exponent)


def _repeat(value: str | list[object], count: int, budget: Budget) -> object:
    if budget.measure(value) * max(count, 0) > MAX_SIZE:
        raise TemplateProblem(f"gives a value larger than {MAX_SIZE} characters")
    return value * count
