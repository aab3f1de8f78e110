"""Collects the mistakes of a spec, so that all of them are told at once, each with its place."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from app.domain.plain_json import describe, show
from app.errors import BadInput, Location, Place

MAX_PLACES = 100
_LONGEST_GUESSED = 64  # difflib is quadratic: nobody misspells a key of a thousand letters


class Enough(Exception):
    """So many mistakes, or such a one, that the rest is not looked for."""


class BadSpec(BadInput):
    """A spec with mistakes. `references` are the experiments that it names, by their position, so that it
    can also be told which of them are not there."""

    references: Mapping[int, int | str] = {}


class Problems:
    """Mistakes in the order in which they were met, at most `MAX_PLACES`."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.references: dict[int, int | str] = {}

    def __bool__(self) -> bool:
        return bool(self.places)

    def add(self, loc: Location, msg: str, kind: str = "value_error") -> None:
        """Note one mistake. Raises Enough with the last that is kept."""
        self.places.append(Place(loc, msg, kind))
        if len(self.places) >= MAX_PLACES:
            raise Enough

    def unknown_key(self, loc: Location, key: str, allowed: Iterable[str]) -> None:
        """Note a key that nothing reads, with the keys there are."""
        self.add((*loc, key), f"unknown key {show(key)}; {choices(key, allowed)}", "unknown_key")

    def error(self) -> BadSpec:
        """The error that tells all that was noted."""
        error = BadSpec(describe(self.places), errors=self.places)
        error.references = self.references
        return error


def choices(given: str, allowed: Iterable[str], *, noun: str = "allowed") -> str:
    """`allowed: a, b, c`, and `did you mean a?` where one is near."""
    names = sorted(allowed)
    listed = ", ".join(names[:50]) + (", …" if len(names) > 50 else "") if names else "none"
    near = get_close_matches(given, names[:1000], n=1) if len(given) <= _LONGEST_GUESSED else []
    return f"{noun}: {listed}" + (f". Did you mean {near[0]}?" if near else "")
