"""What `config` may hold, and what of it is kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.spec.reader import read_spec
from app.errors import BadInput, Location


def refused(config: object) -> list[tuple[Location, str]]:
    with pytest.raises(BadInput) as error:
        read_spec(config)
    return [(place.loc, place.type) for place in error.value.errors or ()]


def test_an_object_is_kept_as_it_was_sent() -> None:
    config = {"version": 1, "anything": ["{{ x }}", None, 0.5]}
    assert read_spec(config) == config


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, "x"]}',
        "a: [1, x]",
        "a:\n- 1\n- x\n",
        "\ufeffa: [1, x]",
        ' \n{"a": [1, "x"]}\n',
        "{a: [1, x]}",
    ],
)
def test_a_text_holds_json_or_yaml(text: str) -> None:
    assert read_spec(text) == {"a": [1, "x"]}


@pytest.mark.parametrize("config", ["", "null", "- 1", "7", "[1]", "~", None, 7, [1], True])
def test_anything_but_an_object_is_refused(config: object) -> None:
    assert refused(config) == [(("config",), "type_error")]


@pytest.mark.parametrize(
    ("config", "loc", "kind"),
    [
        ('{"a": {"b": 1, "b": 2}}', ("a", "b"), "duplicate_key"),
        ('{"a": [{"b": 1, "b": 2}]}', ("a", 0, "b"), "duplicate_key"),
        ('{"b": {"a": 1, "a": 2}, "b": 1}', ("b",), "duplicate_key"),
        ('{"a": 1e400}', ("a",), "not_finite"),
        ('{"a": NaN}', ("a",), "not_finite"),
        ('{"a": Infinity}', ("a",), "not_finite"),
        ('{"a": 123456789012345678901234567890}', ("a",), "too_large"),
        ('{"a": ' + "9" * 5000 + "}", ("a",), "too_large"),
        ('{"a": "\\ud800"}', ("a",), "bad_text"),
        ('{"a": "\\u0000"}', ("a",), "bad_text"),
        ("a: x\0", (), "bad_text"),
        ({"a": "\0"}, ("a",), "bad_text"),
        ({"a": float("nan")}, ("a",), "not_finite"),
        ({"k" * 300: 1}, (), "too_long"),
        ("x" * (1024 * 1024 + 1), (), "too_long"),
        ("é" * (1024 * 1024), (), "too_large"),
        ({"a": ["é" * 1000] * 600}, (), "too_large"),
        ({"a": [[0] * 100] * 600}, ("a", 400), "too_large"),
    ],
)
def test_each_mistake_has_its_place(config: object, loc: Location, kind: str) -> None:
    told = refused(config)
    assert [place_kind for _, place_kind in told] == [kind]
    if kind != "too_large" or loc != ("a", 400):
        assert told == [(("config", *loc), kind)]


def test_a_repeated_key_is_named_even_when_its_object_was_replaced() -> None:
    assert refused('{"b": {"a": 1, "a": 2}, "c": 1, "b": 2}')[0][1] == "duplicate_key"


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 10_000, "[" * 10_000, "{a: " * 10_000, "- " * 10_000],
    ids=["json", "flow lists", "flow maps", "block lists"],
)
def test_nesting_without_end_is_refused(text: str) -> None:
    assert [kind for _, kind in refused(text)] == ["too_deep"]


def test_the_place_begins_where_the_caller_says() -> None:
    with pytest.raises(BadInput) as error:
        read_spec({"a": "\0"}, loc=("body", "config"))
    assert [place.loc for place in error.value.errors or ()] == [("body", "config", "a")]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=4))
def test_json_text_reads_as_the_object_does(config: dict[str, object]) -> None:
    try:
        expected = read_spec(config)
    except BadInput:
        refused(json.dumps(config))
    else:
        assert read_spec(json.dumps(config)) == expected
        assert read_spec(json.dumps(config, ensure_ascii=False)) == expected
