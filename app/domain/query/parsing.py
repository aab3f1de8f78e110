"""Reads `query` and `sort`: text in, typed conditions and sort keys out."""

from app.domain.query.conditions import Condition, Field, SortKey
from app.domain.query.fields import FORMS, KINDS, SORTABLE, find_field
from app.domain.query.mistakes import SPACES, check_text, mistake
from app.domain.query.scanner import WrittenCondition, scan
from app.domain.query.values import read_expression

MAX_SORT_KEYS = 10


def parse_query(text: str) -> tuple[Condition, ...]:
    """The conditions in `text`, all of which must hold; none for a blank text, which finds everything.

    Raises:
        BadInput: code `invalid_query`; the detail and the place `("query", position)` name the character,
            counted from 0, of the first mistake.
    """
    return tuple(_condition(written) for written in scan(text))


def _condition(written: WrittenCondition) -> Condition:
    field, key = find_field("query", written.name, written.position, tuple(Field))
    kind = KINDS[field]
    if written.form not in FORMS[kind]:
        takes = " or ".join(form.value for form in FORMS[kind])
        message = f"{field} takes {takes}, not {written.form.value}; a value that holds its sign is quoted"
        raise mistake("query", written.sign_position, message, "operator_not_taken")
    return Condition(field, read_expression(kind, written), key, written.negated)


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """The sort keys in `text`, first things first; none for a blank text, which leaves the default order.

    A key of a metric or a declaration goes on to the next comma.

    Raises:
        BadInput: code `invalid_sort`, with the position as for `parse_query`.
    """
    check_text("sort", text)
    if not text.strip(SPACES):
        return ()
    keys: list[SortKey] = []
    position = 0
    for part in text.split(","):
        if len(keys) == MAX_SORT_KEYS:
            raise mistake("sort", position, f"more than {MAX_SORT_KEYS} fields", "too_many")
        keys.append(_sort_key(part, position))
        position += len(part) + 1
    return tuple(keys)


def _sort_key(part: str, position: int) -> SortKey:
    """One field, after a minus when it is descending; `position` is that of the first character of `part`."""
    name = part.lstrip(SPACES)
    descending = name.startswith("-")
    name = name.removeprefix("-").lstrip(SPACES)
    position += len(part) - len(name)
    name = name.rstrip(SPACES)
    if not name:
        raise mistake("sort", position, "a field is missing", "missing_field")
    field, key = find_field("sort", name, position, SORTABLE)
    return SortKey(field, key, descending)
