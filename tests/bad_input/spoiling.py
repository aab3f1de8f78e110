"""Finds the texts of a JSON value, and replaces them."""

import copy
from collections.abc import Iterator
from typing import Any

Place = list[str | int]


def texts(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[Place]:
    """The place of every text."""
    if isinstance(value, str):
        yield list(at)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*at, index))


def without(value: Any, place: Place, text: str) -> Any:
    """The value with that text at a place, instead of what is there."""
    if not place:
        return text
    made = copy.deepcopy(value)
    parent = made
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = text
    return made
