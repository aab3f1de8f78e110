"""Checks rendered values against the types that a section wants, and notes every mistake with its place."""

import math
import re
from collections.abc import Collection
from typing import TypeVar

from app.domain.plain_json import show
from app.domain.spec.evaluator import FAILED
from app.domain.spec.problems import Problems, choices
from app.errors import Location

MAX_ARGUMENT = 120_000  # bytes; Linux takes 128 KiB for one argument or variable with its name
_INTEGER = re.compile(r"\s*[-+]?[0-9]{1,18}\s*")
T = TypeVar("T")


class Checker:
    """Gives each value as its type, or notes the mistake and gives a stand-in, which nobody sees.

    `rendered` holds the places whose value a template gave: there a text that reads as a number is one, and
    a number or boolean where a text is wanted is written as Python writes it.
    """

    def __init__(self, problems: Problems, rendered: Collection[Location]) -> None:
        self.problems = problems
        self.rendered = rendered

    def wrong(self, value: object, loc: Location, wanted: str) -> None:
        """Note that a value is not what is wanted. Says nothing where a template failed: that was told."""
        if value is not FAILED:
            found = "null" if value is None else f"{_NAMES.get(type(value), 'a value')} {show(value, 40)}"
            self.problems.add(loc, f"must be {wanted}, not {found}", "type_error")

    def mapping(
        self, value: object, loc: Location, allowed: Collection[str], required: Collection[str] = ()
    ) -> dict[str, object]:
        """An object with some of the `allowed` keys. A key whose value is null is taken as left out."""
        if not isinstance(value, dict):
            self.wrong(value, loc, "an object")
            return {}
        for key in value:
            if key not in allowed:
                self.problems.unknown_key(loc, key, allowed)
        for key in required:
            if value.get(key) is None:
                self.problems.add((*loc, key), "is required", "missing")
        return {key: item for key, item in value.items() if item is not None and key in allowed}

    def items(self, value: object, loc: Location, wanted: str = "a list") -> list[object]:
        """A list."""
        if isinstance(value, list):
            return value
        self.wrong(value, loc, wanted)
        return []

    def text(self, value: object, loc: Location, *, wanted: str = "a text", longest: int = 256) -> str:
        """A text of 1 to `longest` characters."""
        if not isinstance(value, str):
            if not isinstance(value, (bool, int, float)) or loc not in self.rendered:
                self.wrong(value, loc, wanted)
                return ""
            value = str(value)
        if not value or len(value) > longest:
            self.problems.add(
                loc, f"must have 1 to {longest} characters", "too_long" if value else "too_short"
            )
        return value

    def argument(self, value: object, loc: Location, *, wanted: str = "a text") -> str:
        """A text that reaches a job as one argument or variable."""
        text = self.text(value, loc, wanted=wanted, longest=MAX_ARGUMENT)
        if not text.isascii() and len(text.encode()) > MAX_ARGUMENT:
            self.problems.add(loc, f"must have at most {MAX_ARGUMENT} bytes", "too_long")
        return text

    def scalar(self, value: object, loc: Location) -> str:
        """The value of a variable: a text, also empty, or a number or boolean as Python writes it."""
        if value == "":
            return ""
        if isinstance(value, (bool, int, float)):
            value = str(value)
        return self.argument(value, loc, wanted="a text, a number or a boolean")

    def matching(
        self, value: object, loc: Location, form: re.Pattern[str], wanted: str, longest: int = 256
    ) -> str:
        """A text that has a form."""
        text = self.text(value, loc, wanted=wanted, longest=longest)
        if text and form.fullmatch(text) is None:
            self.problems.add(loc, f"must be {wanted}, not {show(text, 40)}")
        return text

    def one_of(self, value: object, loc: Location, allowed: Collection[str]) -> str:
        """One of some words."""
        text = self.text(value, loc)
        if text and text not in allowed:
            self.problems.add(loc, f"{show(text, 40)} is none of them; {choices(text, allowed)}", "enum")
        return text

    def boolean(self, value: object, loc: Location) -> bool:
        """true or false."""
        if loc in self.rendered and value in ("True", "true", "False", "false"):
            return value in ("True", "true")
        if not isinstance(value, bool):
            self.wrong(value, loc, "true or false")
        return value is True

    def integer(self, value: object, loc: Location, *, low: int, high: int) -> int:
        """A whole number within bounds; 2.0 is one."""
        if isinstance(value, str) and loc in self.rendered and _INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(value, loc, "a whole number")
            return low
        return self._within(value, loc, low, high)

    def number(self, value: object, loc: Location, *, low: float, high: float) -> float:
        """A number within bounds."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            self.wrong(value, loc, "a number")
            return low
        return self._within(value, loc, low, high)

    def known(self, name: str, loc: Location, names: Collection[str], noun: str) -> None:
        """Note a name that the settings don't have."""
        if name and name not in names:
            self.problems.add(
                loc, f"there is no {noun} {show(name, 40)}; {choices(name, names, noun='there are')}"
            )

    def _within(self, value: T, loc: Location, low: float, high: float) -> T:
        if not low <= value <= high:  # type: ignore[operator]
            self.problems.add(loc, f"must be from {low} to {high}", "out_of_range")
        return value


_NAMES: dict[type, str] = {
    bool: "the boolean",
    int: "the number",
    float: "the number",
    str: "the text",
    list: "the list",
    dict: "the object",
}
