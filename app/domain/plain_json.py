"""Checks free JSON and free text that somebody sent, so that whatever passes can be kept and sent back."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.errors import BadInput, Location, Place

MAX_TEXT = 64 * 1024
MAX_INTEGER = 2**64 - 1  # what a JSON number may hold and still be read back exactly by every reader we have
MIN_INTEGER = -(2**63)

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How large free JSON may be: levels of nesting, values in all, characters in one text and in one key."""

    depth: int = 64
    values: int = 100_000
    text: int = 1024 * 1024
    key: int = 256
    places: int = 100


DEFAULT_LIMITS = JsonLimits()


def check_text(text: str, loc: Location, *, max_length: int = MAX_TEXT, min_length: int = 0) -> list[Place]:
    """What is wrong with a text: NUL, lone surrogates, too long (in characters), too short. Empty if fine."""
    problem = _text_problem(text, max_length)
    if problem is None and len(text) < min_length:
        problem = ("must not be empty" if min_length == 1 else f"needs {min_length} characters", "too_short")
    return [] if problem is None else [Place(loc, *problem)]


def check_json(value: object, loc: Location, limits: JsonLimits = DEFAULT_LIMITS) -> list[Place]:
    """What is wrong with a parsed JSON value, each with its place; empty if it is fine.

    Finds NUL and lone surrogates in texts and keys, texts and keys that are too long, numbers that are not
    finite or not 64 bits, nesting that is too deep, and too many values. No recursion: any depth is safe. It
    stops at `limits.places` mistakes, and at once where the whole is too large.
    """
    places: list[Place] = []
    left = limits.values
    stack: list[tuple[object, Location, int]] = [(value, loc, 1)]
    while stack:
        item, at, depth = stack.pop()
        if isinstance(item, (dict, list)):
            left -= len(item)
            if left < 0:
                return [*places, Place(at, f"has too many values: {limits.values} is the limit", "too_large")]
            if depth > limits.depth:
                return [*places, Place(at, f"is nested deeper than {limits.depth} levels", "too_deep")]
            for key, child in _children(item):
                problem = _key_problem(key, limits.key) if isinstance(item, dict) else None
                if problem is not None:
                    places.append(Place(at, f"the key {show(key)} {problem[0]}", problem[1]))
                elif isinstance(child, (dict, list)):
                    stack.append((child, (*at, key), depth + 1))
                elif (problem := _scalar_problem(child, limits.text)) is not None:
                    places.append(Place((*at, key), *problem))
        elif (problem := _scalar_problem(item, limits.text)) is not None:
            places.append(Place(at, *problem))
        if len(places) >= limits.places:
            return places[: limits.places]
    return places


def require_json(value: object, loc: Location, limits: JsonLimits = DEFAULT_LIMITS) -> None:
    """Raises BadInput with every place that `check_json` finds."""
    refuse(check_json(value, loc, limits))


def require_text(text: str, loc: Location, *, max_length: int = MAX_TEXT, min_length: int = 0) -> None:
    """Raises BadInput when `check_text` finds something."""
    refuse(check_text(text, loc, max_length=max_length, min_length=min_length))


def refuse(places: Sequence[Place]) -> None:
    """Raises BadInput with these places, the first in its detail; does nothing when there are none."""
    if places:
        raise BadInput(describe(places), errors=places)


def describe(places: Sequence[Place]) -> str:
    """One sentence about mistakes: the first, and how many more there are."""
    first = places[0]
    where = ".".join(str(part) for part in first.loc)
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return f"{where}: {first.msg}{more}." if where else f"{first.msg}{more}."


def show(key: object, limit: int = 60) -> str:
    """A key or a text for use in a message: quoted, cut, and escaped where it could not be sent as it is."""
    text = repr(key[:limit] if isinstance(key, str) else key)
    return text if len(text) <= limit + 2 else f"{text[:limit]}…"


def _children(item: dict[str, object] | list[object]) -> Iterable[tuple[str | int, object]]:
    return item.items() if isinstance(item, dict) else enumerate(item)


def _key_problem(key: object, limit: int) -> tuple[str, str] | None:
    if not isinstance(key, str):
        return "must be a text", "type_error"
    return _text_problem(key, limit)


def _scalar_problem(value: object, max_text: int) -> tuple[str, str] | None:
    if isinstance(value, str):
        return _text_problem(value, max_text)
    if isinstance(value, float):
        return None if math.isfinite(value) else ("must be a finite number", "not_finite")
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if MIN_INTEGER <= value <= MAX_INTEGER else ("must be a number of 64 bits", "too_large")
    return "is not JSON", "type_error"


def _text_problem(text: str, max_length: int) -> tuple[str, str] | None:
    if len(text) > max_length:
        return f"must be at most {max_length} characters long", "too_long"
    if "\0" in text:
        return "must not hold a NUL character", "bad_text"
    if not text.isascii() and _SURROGATE.search(text) is not None:
        return "must not hold a lone surrogate", "bad_text"
    return None
