"""Cuts a query's text into its parts, each with its position; knows the syntax and nothing of fields."""

import re
from dataclasses import dataclass, field

from app.domain.query.conditions import Operator
from app.domain.query.fields import KEYED_PREFIXES, Form
from app.domain.query.mistakes import SPACES, check_text, mistake, shown
from app.errors import BadInput

MAX_CONDITIONS = 50
# Longest first: `>=` before `>`.
_OPERATORS = sorted(Operator, key=len, reverse=True)
_STARTS = ("~", ">", "<")
_VALUE_END = re.compile(r"[,|]|\.\.")


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it is written, without its quotes; `position` is that of its first character."""

    text: str
    position: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class WrittenCondition:
    """One condition's parts. `sign_position` is where `|`, `..` or the operator of a compare stands."""

    name: str
    position: int
    negated: bool
    form: Form
    sign_position: int
    values: tuple[Written, ...]
    operator: Operator | None = None


def scan(text: str) -> list[WrittenCondition]:
    """The conditions in `text`, none when it is blank.

    Raises:
        BadInput: `invalid_query`, at the first place where the syntax ends.
    """
    check_text("query", text)
    scanner = _Scanner(text)
    conditions: list[WrittenCondition] = []
    scanner.skip_spaces()
    if scanner.ended:
        return conditions
    while True:
        conditions.append(scanner.condition())
        if scanner.ended:
            return conditions
        if len(conditions) == MAX_CONDITIONS:
            raise scanner.wrong(f"more than {MAX_CONDITIONS} conditions", "too_many")
        scanner.position += 1


@dataclass(slots=True)
class _Scanner:
    text: str
    position: int = field(default=0)

    @property
    def ended(self) -> bool:
        return self.position == len(self.text)

    def wrong(self, message: str, kind: str, position: int | None = None) -> BadInput:
        return mistake("query", self.position if position is None else position, message, kind)

    def skip_spaces(self) -> None:
        while not self.ended and self.text[self.position] in SPACES:
            self.position += 1

    def take(self, token: str) -> bool:
        """Step over `token` and the spaces after it, when it stands here."""
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        self.skip_spaces()
        return True

    def condition(self) -> WrittenCondition:
        """`field:expression`; ends at a comma or the end of the text."""
        self.skip_spaces()
        start = self.position
        name = self.field_name()
        negated = self.take("~")
        sign = self.position
        operator = next((operator for operator in _OPERATORS if self.take(operator)), None)
        self.refuse_end("an expression")
        values = [self.value()]
        if operator:
            form = Form.COMPARE
        else:
            sign = self.position
            form = self.more_values(values)
        if not self.ended and self.text[self.position] != ",":
            left = self.text[self.position :]
            message = f"{shown(left)} can't follow {form.value}; quote a value that holds it"
            raise self.wrong(message, "syntax")
        return WrittenCondition(name, start, negated, form, sign, tuple(values), operator)

    def field_name(self) -> str:
        """What stands before the colon; a metric's or declaration's key may hold commas."""
        start = self.position
        colon = self.text.find(":", start)
        end = len(self.text) if colon < 0 else colon
        if not self.text.startswith(KEYED_PREFIXES, start):
            comma = self.text.find(",", start, end)
            if comma >= 0:
                end, colon = comma, -1
        name = self.text[start:end].strip(SPACES)
        if colon < 0:
            if not name:
                raise self.wrong("a condition (field:expression) is missing", "missing_condition")
            raise self.wrong(f"no colon and expression follow {shown(name)}", "missing_colon")
        if not name:
            raise self.wrong("no field stands before the colon", "missing_field")
        self.position = end + 1
        self.skip_spaces()
        return name

    def more_values(self, values: list[Written]) -> Form:
        """Add the end of a range or the rest of a list to `values`, and say which it is."""
        if self.take(".."):
            values.append(self.value())
            return Form.RANGE
        form = Form.EQUALS
        while self.take("|"):
            values.append(self.value())
            form = Form.ONE_OF
        return form

    def refuse_end(self, what: str) -> None:
        if self.ended or self.text[self.position] in ",|" or self.text.startswith("..", self.position):
            raise self.wrong(f"{what} is missing", "empty_expression")

    def value(self) -> Written:
        """One value and the spaces after it."""
        self.refuse_end("a value")
        if self.text[self.position] == '"':
            return self.quoted()
        if self.text.startswith(_STARTS, self.position):
            sign = self.text[self.position]
            raise self.wrong(f"{sign} can't stand here; quote a value that begins with it", "syntax")
        start = self.position
        end = _VALUE_END.search(self.text, start)
        self.position = end.start() if end else len(self.text)
        return Written(self.text[start : self.position].rstrip(SPACES), start)

    def quoted(self) -> Written:
        """A value in double quotes, in which only a backslash before a quote is special."""
        start = self.position
        characters: list[str] = []
        self.position += 1
        while not self.ended:
            character = self.text[self.position]
            if character == '"':
                self.take('"')
                return Written("".join(characters), start, quoted=True)
            if self.text.startswith('\\"', self.position):
                character = '"'
                self.position += 1
            characters.append(character)
            self.position += 1
        raise self.wrong("the double quotes are not closed", "unclosed_quote", start)
