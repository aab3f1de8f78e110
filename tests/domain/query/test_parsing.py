"""What a query and a sort may say, what it means, and where a mistake is said to be."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
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
    SortKey,
)
from app.domain.query.parsing import parse_query, parse_sort
from app.errors import BadInput, Place
from tests.domain.query.strategies import conditions, sort_keys

OCTOBER = datetime(2018, 10, 1, tzinfo=UTC)


def one(text: str) -> Condition:
    (condition,) = parse_query(text)
    return condition


def test_the_documented_query_reads_as_it_is_printed() -> None:
    assert parse_query("status:running|building, metric.loss:<0.1") == (
        Condition(Field.STATUS, OneOf(("running", "building"))),
        Condition(Field.METRIC, Compare(Operator.LESS, 0.1), "loss"),
    )


@settings(deadline=None)
@given(st.lists(conditions(), max_size=5))
def test_every_condition_reads_back_from_each_of_its_spellings(said: list[tuple[str, Condition]]) -> None:
    assert parse_query(",".join(text for text, _ in said)) == tuple(condition for _, condition in said)


@settings(deadline=None)
@given(st.lists(sort_keys(), max_size=5))
def test_every_sort_key_reads_back_from_each_of_its_spellings(said: list[tuple[str, SortKey]]) -> None:
    assert parse_sort(",".join(text for text, _ in said)) == tuple(key for _, key in said)


def refusal(parse: Callable[[str], object], text: str) -> BadInput | None:
    try:
        parse(text)
    except BadInput as error:
        return error
    return None


# Texts that get past the first few characters of the syntax.
PARTS = [
    "status",
    "metric.a",
    "declarations.b",
    "created_at",
    "id",
    "running",
    "1",
    "2018-10-01",
    "\x00",
    "\ud800",
]
SIGNS = [":", ",", " ", "~", "|", ">", ">=", "<", "..", '"', "\\"]


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PARTS + SIGNS), max_size=16).map("".join)))
def test_any_text_is_read_or_refused_with_a_position_inside_it(text: str) -> None:
    for parameter, parse in (("query", parse_query), ("sort", parse_sort)):
        error = refusal(parse, text)
        if error is not None:
            (place,) = error.errors or ()
            assert error.code == f"invalid_{parameter}"
            assert place.loc[0] == parameter
            assert 0 <= int(place.loc[1]) <= len(text)
            assert f"position {place.loc[1]}" in error.detail


@pytest.mark.parametrize("text", ["", " ", "\t\n "])
def test_a_blank_text_asks_for_nothing(text: str) -> None:
    assert parse_query(text) == ()
    assert parse_sort(text) == ()


@pytest.mark.parametrize(
    ("text", "field", "key", "expression"),
    [
        ("status:running", Field.STATUS, None, OneOf(("running",))),
        ("user:root", Field.USERNAME, None, OneOf(("root",))),
        ("user.id:7|007", Field.USER_ID, None, OneOf((7, 7))),
        ("project:root.quick-start", Field.PROJECT_NAME, None, OneOf(("root.quick-start",))),
        ("id:" + "9" * 30, Field.ID, None, OneOf((10**30 - 1,))),
        ("independent:true", Field.INDEPENDENT, None, OneOf((True,))),
        ('name:"a,b|c..d"', Field.NAME, None, OneOf(("a,b|c..d",))),
        ('tags:" a "| b ', Field.TAGS, None, OneOf((" a ", "b"))),
        (r'tags:"say \"hi\""|b', Field.TAGS, None, OneOf(('say "hi"', "b"))),
        (r'tags:"a\\b\n"', Field.TAGS, None, OneOf((r"a\\b\n",))),
        ('tags:a"b', Field.TAGS, None, OneOf(('a"b',))),
        ("tags:a>b~c=d", Field.TAGS, None, OneOf(("a>b~c=d",))),
        ('commit:""', Field.COMMIT, None, OneOf(("",))),
        ("metric.loss:1e-3", Field.METRIC, "loss", OneOf((0.001,))),
        ('metric.loss:"1e-3"', Field.METRIC, "loss", OneOf((0.001,))),
        ("metric.loss:1...5", Field.METRIC, "loss", Between(1.0, 0.5)),
        ("metric.a.b,c d:>=-.5", Field.METRIC, "a.b,c d", Compare(Operator.AT_LEAST, -0.5)),
        ("metric.loss:<Infinity", Field.METRIC, "loss", Compare(Operator.LESS, float("inf"))),
        ("metric.loss:-inf..0", Field.METRIC, "loss", Between(float("-inf"), 0.0)),
        ("declarations.lr:64", Field.DECLARATION, "lr", OneOf(("64", 64))),
        ('declarations.lr:"64"', Field.DECLARATION, "lr", OneOf(("64",))),
        ("declarations.a.b:true|x", Field.DECLARATION, "a.b", OneOf(("true", True, "x"))),
        ("declarations.a:1e400", Field.DECLARATION, "a", OneOf(("1e400",))),
        ("declarations.a:" + "0" * 1001, Field.DECLARATION, "a", OneOf(("0" * 1001,))),
        ("declarations.lr:>0.10", Field.DECLARATION, "lr", Compare(Operator.GREATER, 0.1)),
        ('declarations.lr:>"0.10"', Field.DECLARATION, "lr", Compare(Operator.GREATER, "0.10")),
        ("declarations.day:>=2018-10-01", Field.DECLARATION, "day", Compare(Operator.AT_LEAST, "2018-10-01")),
        ("created_at:2018-10-01", Field.CREATED_AT, None, During(OCTOBER, OCTOBER.replace(day=2))),
    ],
)
def test_an_expression_means_what_its_field_takes(
    text: str, field: Field, key: str | None, expression: Expression
) -> None:
    assert one(text) == Condition(field, expression, key)
    assert one(text.replace(":", ":~", 1)) == Condition(field, expression, key, negated=True)


@pytest.mark.parametrize(
    ("text", "position", "kind"),
    [
        # The syntax
        ("status", 0, "missing_colon"),
        ("  status , id:1", 2, "missing_colon"),
        ("metric.loss", 0, "missing_colon"),
        (":running", 0, "missing_field"),
        ("id:1,", 5, "missing_condition"),
        ("id:1,,id:2", 5, "missing_condition"),
        (",", 0, "missing_condition"),
        ("status:", 7, "empty_expression"),
        ("status: ,id:1", 8, "empty_expression"),
        ("status:~", 8, "empty_expression"),
        ("metric.a:>", 10, "empty_expression"),
        ("metric.a:..1", 9, "empty_expression"),
        ("metric.a:1..", 12, "empty_expression"),
        ("status:|running", 7, "empty_expression"),
        ("status:running|", 15, "empty_expression"),
        ("status:running||failed", 15, "empty_expression"),
        ("status:~~running", 8, "syntax"),
        ("tags:a|~b", 7, "syntax"),
        ("tags:a|>b", 7, "syntax"),
        ("metric.a:>1|2", 11, "syntax"),
        ("metric.a:>1..2", 11, "syntax"),
        ("metric.a:1..2|3", 13, "syntax"),
        ("metric.a:1..2..3", 13, "syntax"),
        ('tags:"a"b', 8, "syntax"),
        ('tags: "a', 6, "unclosed_quote"),
        ('tags:"a\\"', 5, "unclosed_quote"),
        # The field
        ("id:1, stauts:running", 6, "unknown_field"),
        ("metric:1", 0, "unknown_field"),
        ("declarations:1", 0, "unknown_field"),
        ("Status:running", 0, "unknown_field"),
        ("user.name:a", 0, "unknown_field"),
        ("metric. :1", 7, "missing_key"),
        ("declarations." + "a." * 9 + ":1", 13, "too_deep"),
        # An operator that the field doesn't take
        ("status:>running", 7, "operator_not_taken"),
        ("name:a..b", 6, "operator_not_taken"),
        ("name:a .. b", 7, "operator_not_taken"),
        ("id:1..5", 4, "operator_not_taken"),
        ("id:~<5", 4, "operator_not_taken"),
        ("independent:true|false", 16, "operator_not_taken"),
        ("created_at:2018-10-01|2018-10-02", 21, "operator_not_taken"),
        ("metric.a:1|2", 10, "operator_not_taken"),
        ("declarations.a:1..2", 16, "operator_not_taken"),
        # The value
        ("status:running| done", 16, "bad_value"),
        ("status:Running", 7, "bad_value"),
        ('status:""', 7, "bad_value"),
        ("id:abc", 3, "bad_value"),
        ("id:-1", 3, "bad_value"),
        ("id:1.0", 3, "bad_value"),
        ("id:١", 3, "bad_value"),
        ("id:" + "1" * 101, 3, "bad_value"),
        ("independent:yes", 12, "bad_value"),
        ("metric.a:>low", 10, "bad_value"),
        ("metric.a:nan", 9, "bad_value"),
        ("metric.a:1_000", 9, "bad_value"),
        ("metric.a:0x10", 9, "bad_value"),
        ("metric.a:1..1e400", 12, "bad_value"),
        ("metric.a:" + "9" * 400, 9, "bad_value"),
        ("metric.a:" + "0" * 1001, 9, "bad_value"),
        ("declarations.a:>NaN", 16, "bad_value"),
        ("declarations.a:<-Infinity", 16, "bad_value"),
        ("declarations.a:>1e400", 16, "bad_value"),
        ("created_at:> yesterday", 13, "bad_value"),
        # The text itself
        ("name:a\x00", 6, "bad_text"),
        ("na\ud800me:a", 2, "bad_text"),
        ("name:" + "a" * 16_380, 16_384, "too_long"),
        (",".join(["id:1"] * 51), 249, "too_many"),
    ],
)
def test_a_mistake_in_a_query_names_its_position(text: str, position: int, kind: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_query(text)
    assert caught.value.code == "invalid_query"
    assert caught.value.status == 400
    (place,) = caught.value.errors or ()
    assert (place.loc, place.type) == (("query", position), kind)


def test_fifty_conditions_and_eight_steps_are_taken() -> None:
    assert len(parse_query(",".join(["id:1"] * 50))) == 50
    assert one("declarations." + "a." * 8 + "b:1").key == "a." * 8 + "b"


def test_a_long_list_is_read_in_time_that_grows_with_its_length() -> None:
    condition = one("id:" + "|".join(["1"] * 8_000))
    assert condition.expression == OneOf((1,) * 8_000)


def test_a_mistake_says_what_there_is() -> None:
    with pytest.raises(BadInput) as caught:
        parse_query("metric.loss:<1, stauts:running")
    assert 'position 16: there is no field "stauts" here; did you mean status? the fields are' in str(
        caught.value
    )
    with pytest.raises(BadInput) as caught:
        parse_query("status:done")
    assert all(word in caught.value.detail for word in Status)
    with pytest.raises(BadInput) as caught:
        parse_query("status:" + "x" * 1000)
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("created_at", (SortKey(Field.CREATED_AT),)),
        (
            "-metric.accuracy,created_at",
            (SortKey(Field.METRIC, "accuracy", descending=True), SortKey(Field.CREATED_AT)),
        ),
        (" - name ,\tid", (SortKey(Field.NAME, descending=True), SortKey(Field.ID))),
        ("declarations.a.b c:d", (SortKey(Field.DECLARATION, "a.b c:d"),)),
        ("metric.-x", (SortKey(Field.METRIC, "-x"),)),
    ],
)
def test_a_sort_is_fields_in_order(text: str, keys: tuple[SortKey, ...]) -> None:
    assert parse_sort(text) == keys


@pytest.mark.parametrize(
    ("text", "position", "kind"),
    [
        ("id,", 3, "missing_field"),
        ("id, ,name", 4, "missing_field"),
        ("-", 1, "missing_field"),
        ("id, - loss", 6, "unknown_field"),
        ("--id", 1, "unknown_field"),
        ("tags", 0, "unknown_field"),
        ("independent", 0, "unknown_field"),
        ("user", 0, "unknown_field"),
        ("metric", 0, "unknown_field"),
        ("-metric.", 8, "missing_key"),
        ("id," * 10 + "id", 30, "too_many"),
        ("name\x00", 4, "bad_text"),
        ("a" * 16_385, 16_384, "too_long"),
    ],
)
def test_a_mistake_in_a_sort_names_its_position(text: str, position: int, kind: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_sort(text)
    assert caught.value.code == "invalid_sort"
    (place,) = caught.value.errors or ()
    assert isinstance(place, Place)
    assert (place.loc, place.type) == (("sort", position), kind)
