"""What restart, resume and copy send merges over the original's: RFC 7396, with its own examples."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.spec.merge import changed_declarations, merge_config, merge_declarations


@pytest.mark.parametrize(
    ("original", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 2}}, {"a": 1}, {"a": 1}),
        ({"a": [1, None]}, {"a": [None]}, {"a": [None]}),
        (None, {"a": {"b": 1, "c": None}}, {"a": {"b": 1}}),
    ],
)
def test_objects_merge_lists_and_scalars_replace_null_removes(
    original: dict[str, object] | None, patch: dict[str, object], merged: dict[str, object]
) -> None:
    assert merge_config(original, patch) == merged


VALUES = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_neither_is_changed_and_twice_is_once(original: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy((original, patch))
    merged = merge_config(original, patch)
    assert (original, patch) == before
    assert merge_config(merged, patch) == merged
    assert merge_config(original, {}) == original


@pytest.mark.parametrize(
    ("declared", "given", "patch", "kept", "merged"),
    [
        ({"d": {"a": 1, "b": 2}}, None, {"d": {"b": 3}}, {"d": {"a": 1, "b": 2}}, {"d": {"a": 1, "b": 3}}),
        ({"d": {"a": 1}}, None, {"d": {"a": None, "c": 2}}, {"d": {"a": 1}}, {"d": {"c": 2}}),
        ({"d": {"a": 1}}, {"d": {"b": 2}}, {"d": {"c": 3}}, {"d": {"a": 1}}, {"d": {"b": 2, "c": 3}}),
        ({"l": [1, 2]}, None, {"l": [3]}, {"l": [1, 2]}, {"l": [3]}),
        ({"lr": 1, "n": 2}, {"lr": 5, "x": 6}, {"lr": None, "x": None}, {"n": 2}, {}),
        ({"lr": 1}, {"x": 6}, {"y": 7}, {"lr": 1}, {"x": 6, "y": 7}),
    ],
)
def test_declarations_merge_over_those_of_the_spec_and_null_takes_a_name_out_of_both(
    declared: dict[str, object],
    given: dict[str, object] | None,
    patch: dict[str, object],
    kept: dict[str, object],
    merged: dict[str, object],
) -> None:
    config: dict[str, object] = {"version": 1, "declarations": declared}
    assert merge_declarations(config, given, patch) == ({"version": 1, "declarations": kept}, merged)
    assert merge_declarations(None, {**declared, **(given or {})}, patch)[0] is None


def test_what_was_set_later_and_can_be_declared_is_told_from_what_was_declared() -> None:
    config = {"declarations": {"lr": 1, "n": 2, "twice": "{{ n * 2 }}", "deep": {"a": ["{{ n }}"]}}}
    current = {"lr": 9, "n": 2, "twice": 4, "deep": {"a": [2]}, "x": 5, "new": None}
    current |= {"user": "ada", "prompt": "{{ text }}"}
    assert changed_declarations(config, {"x": 5}, current) == {"lr": 9, "new": None}
