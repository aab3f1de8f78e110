"""Free JSON and free text: what passes can be stored and sent back; what doesn't is named with its place."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.plain_json import JsonLimits, check_json, check_text, require_json, require_text, show
from app.errors import BadInput, Location

SMALL = JsonLimits(depth=3, values=10, text=5, key=4, places=3)


@pytest.mark.parametrize(
    ("value", "loc", "kind"),
    [
        ("a\0b", (), "bad_text"),
        ("\ud800", (), "bad_text"),
        ("é\udfff", (), "bad_text"),
        ({"a": ["x", "\0"]}, ("a", 1), "bad_text"),
        ({"a\0": 1}, (), "bad_text"),
        ({"ok": {"\ud800": 1}}, ("ok",), "bad_text"),
        (math.inf, (), "not_finite"),
        ([-math.inf], (0,), "not_finite"),
        ({"a": math.nan}, ("a",), "not_finite"),
        (2**64, (), "too_large"),
        (-(2**63) - 1, (), "too_large"),
        pytest.param(10**5000, (), "too_large", id="5000 digits"),
        ({1: 2}, (), "type_error"),
        ({"a": {1, 2}}, ("a",), "type_error"),
        (b"a", (), "type_error"),
    ],
)
def test_what_could_not_be_kept_is_refused_with_its_place(value: object, loc: Location, kind: str) -> None:
    places = check_json(value, ("body",))
    assert [(place.loc, place.type) for place in places] == [(("body", *loc), kind)]


@pytest.mark.parametrize(
    ("value", "loc", "kind"),
    [
        ("123456", (), "too_long"),
        ({"12345": 1}, (), "too_long"),
        ([[[[]]]], (0, 0, 0), "too_deep"),
        (list(range(11)), (), "too_large"),
        ({"a": list(range(10))}, ("a",), "too_large"),
    ],
)
def test_each_limit_is_held(value: object, loc: Location, kind: str) -> None:
    places = check_json(value, (), SMALL)
    assert [(place.loc, place.type) for place in places] == [(loc, kind)]


def test_what_just_fits_passes() -> None:
    assert check_json({"1234": ["12345", [1, 2.5, None, True]]}, (), SMALL) == []
    assert check_json([2**64 - 1, -(2**63), "é", ""], ()) == []


def test_mistakes_are_told_together_up_to_the_limit() -> None:
    assert len(check_json(["\0"] * 2, (), SMALL)) == 2
    assert len(check_json(["\0"] * 9, (), SMALL)) == 3


def test_any_depth_is_refused_without_recursion() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    [place] = check_json(deep, ())
    assert place.type == "too_deep"
    assert len(place.loc) == 64
    while deep:  # taken apart by hand: Python's own recursion over it would be the test's, not the code's
        deep = deep.pop()  # type: ignore[assignment]


def test_a_place_can_always_be_sent() -> None:
    value = {"\ud800": {"\ud801": 1}, "x" * 300: 1, "ok": ["\ud800"]}
    places = check_json(value, ("body",))
    assert len(places) == 3
    for place in places:
        orjson.dumps([place.loc, place.msg])


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_passes_survives_a_round_trip(value: object) -> None:
    if not check_json(value, ()):
        assert json.loads(json.dumps(value, allow_nan=False)) == value
        orjson.dumps(value)


def test_texts_have_lengths() -> None:
    assert check_text("abc", ("name",), max_length=3) == []
    assert [p.type for p in check_text("abcd", ("name",), max_length=3)] == ["too_long"]
    assert [p.type for p in check_text("", ("name",), min_length=1)] == ["too_short"]
    assert [p.msg for p in check_text("a", ("name",), min_length=2)] == ["needs 2 characters"]


def test_the_error_names_the_first_place_and_counts_the_rest() -> None:
    with pytest.raises(BadInput) as error:
        require_json({"a": ["\0", "\0"]}, ("body",))
    assert error.value.detail == "body.a.0: must not hold a NUL character (and 1 more)."
    with pytest.raises(BadInput) as error:
        require_text("\0", ())
    assert error.value.detail == "must not hold a NUL character."
    require_json({"a": 1}, ())
    require_text("fine", ())


def test_keys_are_shown_cut_and_escaped() -> None:
    assert show("lr") == "'lr'"
    assert show("\ud800") == "'\\ud800'"
    assert len(show("x" * 1000)) <= 64
    assert len(show(list(range(1000)))) <= 64
