"""What a query and a sort say, read and typed: frozen, so that any store can run them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Scalar = str | int | float | bool | None


class Field(StrEnum):
    """What conditions and sort keys are about, each by its full name.

    A project's name with a dot, as answers print it (`root.quick-start`), begins with its owner's.
    """

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    STARTED_AT = "started_at"
    FINISHED_AT = "finished_at"
    INDEPENDENT = "independent"
    ID = "id"
    NAME = "name"
    STATUS = "status"
    TAGS = "tags"
    USERNAME = "user.username"
    USER_ID = "user.id"
    PROJECT_NAME = "project.name"
    PROJECT_ID = "project.id"
    BUILD_ID = "build.id"
    GROUP_ID = "group.id"
    COMMIT = "commit"
    DECLARATION = "declarations"
    METRIC = "metric"


class Operator(StrEnum):
    """The compares."""

    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class OneOf:
    """Equal to one of `values`; a single value when it says equals.

    The values are typed as the field's are: `bool` for independent, `int` for ids, `float` for metrics,
    `str` else. For declarations they are JSON scalars that a declared value must equal in type too
    (numbers with numbers, 64 is 64.0); an unquoted `64` may mean the number and the text, so both are there.
    """

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """Greater or less than `value`: a number with numbers, a text with texts (by code points)."""

    operator: Operator
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`, both included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class During:
    """A time with `since <= time < until`, in UTC; None leaves that side open.

    Every expression on a time is one of these, since times are stored in whole microseconds.
    """

    since: datetime | None
    until: datetime | None


Expression = OneOf | Compare | Between | During


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `negated` finds exactly what `expression` does not, experiments without a value too.

    `key` is the metric's or declaration's name, None for other fields.
    """

    field: Field
    expression: Expression
    key: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SortKey:
    """One field to sort by; what has no value comes last in both directions."""

    field: Field
    key: str | None = None
    descending: bool = False
