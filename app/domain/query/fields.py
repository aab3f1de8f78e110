"""The fields of the search language: how they are spelled, what values and expressions each takes."""

from difflib import get_close_matches
from enum import Enum

from app.domain.query.conditions import Field
from app.domain.query.mistakes import SPACES, mistake, shown


class Kind(Enum):
    """The type of a field's values."""

    TIME = "a time"
    FLAG = "true or false"
    ID = "an id"
    TEXT = "a text"
    STATUS = "a status"
    DECLARATION = "a declared value"
    NUMBER = "a number"


class Form(Enum):
    """The shapes an expression has, as errors name them."""

    EQUALS = "one value"
    ONE_OF = "a list with |"
    COMPARE = "a compare (>, >=, <, <=)"
    RANGE = "a range (..)"


KINDS = {
    Field.CREATED_AT: Kind.TIME,
    Field.UPDATED_AT: Kind.TIME,
    Field.STARTED_AT: Kind.TIME,
    Field.FINISHED_AT: Kind.TIME,
    Field.INDEPENDENT: Kind.FLAG,
    Field.ID: Kind.ID,
    Field.NAME: Kind.TEXT,
    Field.STATUS: Kind.STATUS,
    Field.TAGS: Kind.TEXT,
    Field.USERNAME: Kind.TEXT,
    Field.USER_ID: Kind.ID,
    Field.PROJECT_NAME: Kind.TEXT,
    Field.PROJECT_ID: Kind.ID,
    Field.BUILD_ID: Kind.ID,
    Field.GROUP_ID: Kind.ID,
    Field.COMMIT: Kind.TEXT,
    Field.DECLARATION: Kind.DECLARATION,
    Field.METRIC: Kind.NUMBER,
}

FORMS = {
    Kind.TIME: (Form.EQUALS, Form.COMPARE, Form.RANGE),
    Kind.FLAG: (Form.EQUALS,),
    Kind.ID: (Form.EQUALS, Form.ONE_OF),
    Kind.TEXT: (Form.EQUALS, Form.ONE_OF),
    Kind.STATUS: (Form.EQUALS, Form.ONE_OF),
    Kind.DECLARATION: (Form.EQUALS, Form.ONE_OF, Form.COMPARE),
    Kind.NUMBER: (Form.EQUALS, Form.COMPARE, Form.RANGE),
}

SORTABLE = (
    Field.CREATED_AT,
    Field.UPDATED_AT,
    Field.STARTED_AT,
    Field.FINISHED_AT,
    Field.ID,
    Field.NAME,
    Field.STATUS,
    Field.METRIC,
    Field.DECLARATION,
)

# A key follows these, after a dot; it may hold any character that does not end it.
KEYED = (Field.METRIC, Field.DECLARATION)
KEYED_PREFIXES = tuple(f"{field}." for field in KEYED)

# Each dot of a declaration's key may step into a nested object, and each such reading costs the database.
MAX_STEPS = 8

_SHORT = {"user": Field.USERNAME, "project": Field.PROJECT_NAME}


def find_field(
    parameter: str, name: str, position: int, allowed: tuple[Field, ...]
) -> tuple[Field, str | None]:
    """The field that `name` spells, and its key.

    Raises:
        BadInput: there is none among `allowed`, or its key is missing or steps too deep.
    """
    for field in KEYED:
        if name.startswith(f"{field}."):
            return field, _key(parameter, name, position, len(field) + 1)
    plain = {str(field): field for field in allowed if field not in KEYED}
    plain |= {short: field for short, field in _SHORT.items() if field in allowed}
    if name in plain:
        return plain[name], None
    spelled = sorted(plain) + [f"{field}.KEY" for field in KEYED]
    near = get_close_matches(name[:64], spelled, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    message = f"there is no field {shown(name)} here; {hint}the fields are {', '.join(spelled)}"
    raise mistake(parameter, position, message, "unknown_field")


def _key(parameter: str, name: str, position: int, start: int) -> str:
    """What follows the prefix of length `start` in `name`."""
    key = name[start:].strip(SPACES)
    if not key:
        raise mistake(parameter, position + start, f"a key must follow {shown(name[:start])}", "missing_key")
    if name.startswith(Field.DECLARATION) and key.count(".") > MAX_STEPS:
        raise mistake(parameter, position + start, f"a key has {MAX_STEPS} dots at most", "too_deep")
    return key
