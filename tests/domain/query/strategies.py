"""Random conditions and sort keys, each with a text that says it: spaces, quotes and spellings vary."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from app.domain.lifecycle import Status
from app.domain.query.conditions import (
    Between,
    Compare,
    Condition,
    During,
    Expression,
    Field,
    OneOf,
    Operator,
    Scalar,
    SortKey,
)
from app.domain.query.fields import MAX_STEPS

SPACES = st.sampled_from(["", "", " ", "\t ", "\n"])
TIMES = [Field.CREATED_AT, Field.UPDATED_AT, Field.STARTED_AT, Field.FINISHED_AT]
IDS = [Field.ID, Field.USER_ID, Field.PROJECT_ID, Field.BUILD_ID, Field.GROUP_ID]
TEXTS = [Field.NAME, Field.TAGS, Field.USERNAME, Field.PROJECT_NAME, Field.COMMIT]
SPELLINGS = {Field.USERNAME: ["user", "user.username"], Field.PROJECT_NAME: ["project", "project.name"]}
MICROSECOND = timedelta(microseconds=1)

# What a stored text can hold: no NUL, no surrogates. Signs of the syntax come often.
characters = st.one_of(
    st.sampled_from(',|.~<>=:"\\ -abc01é'),
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
)
texts = st.text(characters, max_size=12)
keys = st.text(characters, min_size=1, max_size=8).filter(
    lambda key: ":" not in key and key.strip(" \t\r\n") == key and key.count(".") <= MAX_STEPS
)


@dataclass(frozen=True)
class Said:
    """A value with a text for it."""

    text: str
    value: Scalar


def quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def may_be_bare(text: str) -> bool:
    return (
        text != ""
        and text.strip(" \t\r\n") == text
        and not any(sign in text for sign in (",", "|", ".."))
        and text[0] not in '"~<>'
    )


@st.composite
def written(draw: st.DrawFn, value: str) -> str:
    """`value` bare or in quotes, whichever can say it. A last backslash would escape the closing quote."""
    bare = may_be_bare(value)
    if bare and (value.endswith("\\") or draw(st.booleans())):
        return value
    return quoted(value)


sayable = texts.filter(lambda text: may_be_bare(text) or not text.endswith("\\"))
numbers = st.one_of(
    st.integers(-100, 100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-10, 10, allow_subnormal=False),
)


@st.composite
def text_values(draw: st.DrawFn) -> Said:
    value = draw(sayable)
    return Said(draw(written(value)), value)


@st.composite
def id_values(draw: st.DrawFn) -> Said:
    value = draw(st.one_of(st.integers(0, 20), st.integers(0, 10**30)))
    return Said(draw(written(draw(st.sampled_from(["", "0", "00"])) + str(value))), value)


@st.composite
def status_values(draw: st.DrawFn) -> Said:
    value = str(draw(st.sampled_from(list(Status))))
    return Said(draw(written(value)), value)


@st.composite
def instants(draw: st.DrawFn) -> tuple[str, datetime]:
    """A time to the microsecond, in some zone, with the instant it is in UTC."""
    time = datetime(1970, 1, 1, tzinfo=UTC) + MICROSECOND * draw(st.integers(0, 130 * 365 * 86_400_000_000))
    zone = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    local = time.astimezone(zone)
    text = draw(
        st.sampled_from(
            [
                local.isoformat(timespec="microseconds"),
                local.isoformat(" ", timespec="microseconds"),
                time.strftime("%Y-%m-%d %H:%M:%S.%f"),
                time.strftime("%Y%m%dT%H%M%S.%fZ"),
            ]
        )
    )
    return draw(written(text)), time


def _list(draw: st.DrawFn, values: list[str]) -> str:
    return "|".join(f"{draw(SPACES)}{value}{draw(SPACES)}" for value in values)


@st.composite
def time_expressions(draw: st.DrawFn) -> tuple[str, Expression]:
    low_text, low = draw(instants())
    form = draw(st.sampled_from(["=", "..", *Operator]))
    if form == "=":
        return low_text, During(low, low + MICROSECOND)
    if form == "..":
        high_text, high = draw(instants())
        return f"{low_text}{draw(SPACES)}..{draw(SPACES)}{high_text}", During(low, high + MICROSECOND)
    since = {Operator.GREATER: low + MICROSECOND, Operator.AT_LEAST: low}.get(Operator(form))
    until = {Operator.LESS: low, Operator.AT_MOST: low + MICROSECOND}.get(Operator(form))
    return f"{form}{draw(SPACES)}{low_text}", During(since, until)


@st.composite
def number_expressions(draw: st.DrawFn) -> tuple[str, Expression]:
    low, high = draw(numbers), draw(numbers)
    form = draw(st.sampled_from(["=", "..", *Operator]))
    text = draw(written(repr(low)))
    if form == "=":
        return text, OneOf((float(low),))
    if form == "..":
        return f"{text}{draw(SPACES)}..{draw(SPACES)}{high!r}", Between(float(low), float(high))
    return f"{form}{draw(SPACES)}{text}", Compare(Operator(form), float(low))


@st.composite
def declared_values(draw: st.DrawFn) -> tuple[str, tuple[Scalar, ...]]:
    """A text for a declared value, and all that it may mean."""
    number = draw(numbers)
    text = draw(sayable.filter(lambda text: may_be_bare(text) and text[0] in "abcé"))
    meanings: list[tuple[str, tuple[Scalar, ...]]] = [
        (repr(number), (repr(number), number)),
        (quoted(repr(number)), (repr(number),)),
        ("true", ("true", True)),
        ("false", ("false", False)),
        ("null", ("null", None)),
        (text, (text,)),
    ]
    return draw(st.sampled_from(meanings))


@st.composite
def declaration_expressions(draw: st.DrawFn) -> tuple[str, Expression]:
    form = draw(st.sampled_from(["|", "n", "t"]))
    if form == "|":
        said = draw(st.lists(declared_values(), min_size=1, max_size=3))
        values = tuple(meaning for _, meanings in said for meaning in meanings)
        return _list(draw, [text for text, _ in said]), OneOf(values)
    operator = draw(st.sampled_from(list(Operator)))
    if form == "n":
        number = draw(numbers)
        return f"{operator}{draw(SPACES)}{number!r}", Compare(operator, number)
    text = draw(sayable.filter(lambda text: not text.endswith("\\")))
    return f"{operator}{draw(SPACES)}{quoted(text)}", Compare(operator, text)


@st.composite
def conditions(draw: st.DrawFn, names: st.SearchStrategy[str] = keys) -> tuple[str, Condition]:
    """A condition's text and the condition. `names` are the keys of metrics and declarations."""
    field = draw(st.sampled_from(list(Field)))
    key = draw(names) if field in (Field.METRIC, Field.DECLARATION) else None
    if field in TIMES:
        text, expression = draw(time_expressions())
    elif field is Field.METRIC:
        text, expression = draw(number_expressions())
    elif field is Field.DECLARATION:
        text, expression = draw(declaration_expressions())
    elif field is Field.INDEPENDENT:
        flag = draw(st.booleans())
        text, expression = ("true" if flag else "false"), OneOf((flag,))
    else:
        values = {True: id_values(), False: text_values()}[field in IDS]
        said = draw(st.lists(status_values() if field is Field.STATUS else values, min_size=1, max_size=3))
        text = _list(draw, [one.text for one in said])
        expression = OneOf(tuple(one.value for one in said))
    name = draw(st.sampled_from(SPELLINGS.get(field, [str(field)])))
    if key is not None:
        name = f"{field}.{draw(SPACES)}{key}"
    negated = draw(st.booleans())
    sign = f"~{draw(SPACES)}" if negated else ""
    around = [draw(SPACES) for _ in range(4)]
    said_text = f"{around[0]}{name}{around[1]}:{around[2]}{sign}{text}{around[3]}"
    return said_text, Condition(field, expression, key, negated)


@st.composite
def sort_keys(draw: st.DrawFn, names: st.SearchStrategy[str] = keys) -> tuple[str, SortKey]:
    """A sort key's text and the key."""
    from_names = names.filter(lambda name: "," not in name)
    field = draw(
        st.sampled_from([*TIMES, Field.ID, Field.NAME, Field.STATUS, Field.METRIC, Field.DECLARATION])
    )
    key = draw(from_names) if field in (Field.METRIC, Field.DECLARATION) else None
    descending = draw(st.booleans())
    name = str(field) if key is None else f"{field}.{key}"
    sign = f"-{draw(SPACES)}" if descending else ""
    return f"{draw(SPACES)}{sign}{name}{draw(SPACES)}", SortKey(field, key, descending)
