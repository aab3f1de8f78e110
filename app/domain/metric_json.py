"""JSON as trackers write it: NaN and the infinities may stand where numbers do."""

import json
from typing import Any

import orjson

from app.domain.json_mistakes import find_mistake
from app.domain.plain_json import MAX_INTEGER, MIN_INTEGER
from app.errors import BadInput


class SpecialNumber(str):
    """`NaN`, `Infinity` or `-Infinity` that stood in the text as a number, not as a string."""

    __slots__ = ()


def parse_metric_json(text: bytes) -> Any:
    """The parsed text, with `SpecialNumber` for what plain JSON doesn't have. Raises BadInput.

    Whole numbers of more than 64 bits come as floats, numbers that no float holds as infinities. Texts are
    not checked.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        first = error
    # Slower, and only for what orjson refuses: those three words, or a mistake.
    try:
        return json.loads(text.decode(), parse_constant=SpecialNumber, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise _refusal(text, error) from None
    except (UnicodeDecodeError, RecursionError):
        raise _refusal(text, first) from None


def _integer(digits: str) -> int | float:
    if len(digits) <= 20:  # what 64 bits hold has no more, and `int` refuses thousands
        number = int(digits)
        if MIN_INTEGER <= number <= MAX_INTEGER:
            return number
    return float(digits)


def _refusal(text: bytes, error: json.JSONDecodeError) -> BadInput:
    place = find_mistake(text, error)
    return BadInput(f"The body {place.msg}.", errors=[place])
