"""The values that templates work on, and the budgets that keep their number, size and depth small."""

import math
from collections.abc import Callable

from app.domain.spec.expressions import MAX_TEMPLATE, OverBudget, Template, TemplateProblem, parse_template

MAX_STEPS = 200_000  # of one spec; a step is about a microsecond
MAX_SIZE = MAX_TEMPLATE  # characters and items of one value
MAX_TOTAL = 1024 * 1024  # characters and items of all that one spec's templates give
MAX_NODES = 10_000  # of all templates of one spec: names, signs, texts between them
MAX_DEPTH = 64
MAX_BITS = 1024  # of a number on the way; what is kept has 64
_CHARACTERS_A_STEP = 64
_TOO_MANY_NODES = f"the templates of this spec are too long together ({MAX_NODES} names, literals and signs)"


class Undefined:
    """What a name, key or item that is not there stands for under `default`.

    `why` gives the error else; it looks for what was meant, and so is only called when somebody reads it.
    """

    __slots__ = ("why",)

    def __init__(self, why: Callable[[], str]) -> None:
        self.why = why


class Budget:
    """What the templates of one spec may use together."""

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.total = MAX_TOTAL
        self.nodes = MAX_NODES
        self.parsed: dict[str, Template | TemplateProblem] = {}

    def parse(self, text: str) -> Template:
        """The parsed template of a text, read once. Raises TemplateProblem."""
        known = self.parsed.get(text)
        if known is None:
            known = self.parsed[text] = self._parse(text)
        if isinstance(known, TemplateProblem):
            raise known
        return known

    def _parse(self, text: str) -> Template | TemplateProblem:
        if self.nodes < 0:
            return OverBudget(_TOO_MANY_NODES)
        try:
            template = parse_template(text)
        except TemplateProblem as error:
            self.nodes -= len(text)  # what can't be parsed was read all the same
            return error
        self.nodes -= template.size
        return template if self.nodes >= 0 else OverBudget(_TOO_MANY_NODES)

    def spend(self, steps: int) -> None:
        """Use up steps. Raises TemplateProblem when there are none left."""
        self.steps -= steps
        if self.steps < 0:
            raise OverBudget(f"the templates of this spec take more than {MAX_STEPS} steps")

    def spend_text(self, length: int) -> None:
        """Use up the steps for work on a text. Raises TemplateProblem when the text is too large."""
        if length > MAX_SIZE:
            raise TemplateProblem(f"gives a value larger than {MAX_SIZE} characters")
        self.spend(length // _CHARACTERS_A_STEP)

    def keep(self, size: int) -> None:
        """Count a result that stays. Raises TemplateProblem when all together are too large."""
        self.total -= size
        if self.total < 0:
            raise OverBudget(f"the templates of this spec give more than {MAX_TOTAL} characters")

    def measure(self, value: object) -> int:
        """Characters and items of a value as it would be written out, shared parts each time they occur.

        Raises TemplateProblem when it is too large or too deep.
        """
        if isinstance(value, str):
            self.spend_text(len(value))
            return len(value) + 1
        if not isinstance(value, (list, dict)):
            return 1
        size = 0
        stack: list[tuple[object, int]] = [(value, 1)]
        while stack:
            item, depth = stack.pop()
            self.spend(1)
            size += 1
            if isinstance(item, str):
                size += len(item)
            elif isinstance(item, (list, dict)):
                if depth > MAX_DEPTH:
                    raise TemplateProblem(f"gives a value nested deeper than {MAX_DEPTH} levels")
                if isinstance(item, dict):
                    size += sum(map(len, item))
                    self.spend(len(item))
                stack.extend(
                    (child, depth + 1) for child in (item.values() if isinstance(item, dict) else item)
                )
            if size > MAX_SIZE:
                raise TemplateProblem(f"gives a value larger than {MAX_SIZE} characters")
        return size

    def text(self, value: object) -> str:
        """A value inside longer text: as Python writes it."""
        if isinstance(value, str):
            self.spend_text(len(value))
            return value
        self.measure(value)
        text = str(value)
        self.spend_text(len(text))
        return text


def checked(value: object) -> object:
    """A number that may go on. Raises TemplateProblem for one that is too large, infinite or complex."""
    if isinstance(value, float) and not math.isfinite(value):
        raise TemplateProblem("gives a number that is not finite")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise TemplateProblem("gives a number that is too large")
    if isinstance(value, complex):
        raise TemplateProblem("gives a number that is not real")
    return value
