"""Declarations: rendered before all else, in the order in which they need each other."""

import pytest

from tests.domain.spec.specs import kinds, refusal, render, spec


def test_each_may_use_the_others_in_any_order() -> None:
    declared = {
        "c": "{{ b + 1 }}",
        "b": "{{ a + 1 }}",
        "a": 1,
        "deep": {"list": ["{{ c }}", {"x": "<{{ b }}>"}]},
    }
    rendered = render(spec(declarations=declared, run={"cmd": "x {{ deep.list[0] }}"}))
    assert rendered.declarations == {"c": 3, "b": 2, "a": 1, "deep": {"list": [3, {"x": "<2>"}]}}
    assert list(rendered.declarations) == ["c", "b", "a", "deep"]
    assert rendered.command == "x 3"


def test_none_are_null() -> None:
    assert render(spec()).declarations is None
    assert render(spec(declarations={})).declarations is None
    assert render(spec(declarations=None)).declarations is None
    assert render(spec(declarations={"a": None})).declarations == {"a": None}


def test_those_of_the_body_win_key_by_key() -> None:
    config = spec(declarations={"lr": "{{ 1 / 0 }}", "half": "{{ lr / 2 }}", "kept": 1})
    rendered = render(config, declarations={"lr": 1.0, "new": "{{ kept }}"})
    assert rendered.declarations == {"lr": 1.0, "half": 0.5, "kept": 1, "new": 1}


def test_mistakes_in_those_of_the_body_have_their_place_there() -> None:
    config = spec(declarations={"a": "{{ nope }}"})
    assert set(refusal(config, declarations={"b": "{{ nope }}", "user": 1})) == {
        ("config", "declarations", "a"),
        ("declarations", "b"),
        ("declarations", "user"),
    }
    assert kinds(spec(), declarations={"a": "\0", "b": float("nan")}) == {
        ("declarations", "a"): "bad_text",
        ("declarations", "b"): "not_finite",
    }


def test_a_cycle_is_named() -> None:
    declared = {
        "a": "{{ b }}",
        "b": ["{{ c }}"],
        "c": {"x": "{{ a }}"},
        "own": "{{ own }}",
        "fine": "{{ 1 }}",
    }
    assert refusal(spec(declarations=declared)) == {
        ("config", "declarations", "a"): "needs itself: a → b → c → a",
        ("config", "declarations", "own"): "needs itself: own → own",
    }


def test_a_long_cycle_is_named_in_short() -> None:
    declared = {f"d{n}": f"{{{{ d{(n + 1) % 500} }}}}" for n in range(500)}
    [msg] = refusal(spec(declarations=declared)).values()
    assert msg == "needs itself: d0 → d1 → d2 → d3 → d4 → d5 → d6 → d7 → d8 → … → d0"


def test_a_loops_own_name_needs_no_declaration_of_that_name() -> None:
    declared = {
        "n": "{% for n in [1, 2] %}{{ n }}{% endfor %}",
        "m": "{% for a, n in ['xy'] if n %}{{ n }}{% endfor %}",
    }
    assert render(spec(declarations=declared)).declarations == {"n": "12", "m": "y"}


def test_a_mistake_is_told_once_and_not_by_all_that_use_it() -> None:
    config = spec(
        declarations={"a": "{{ nope }}", "b": "{{ a }}", "c": ["{{ b }} x"]},
        run={"cmd": "{{ c }} {{ a }}"},
        tags=["{{ b }}"],
        environment={"tensorflow": {"n_workers": "{{ a }}"}, "resources": "{{ b }}"},
        build={"image": "{{ a }}", "nocache": "{{ a }}", "env_vars": "{{ a }}"},
    )
    assert set(refusal(config)) == {("config", "declarations", "a")}


@pytest.mark.parametrize("name", ["experiment", "project", "user"])
def test_names_with_a_meaning_of_their_own_can_not_be_declared(name: str) -> None:
    assert kinds(spec(declarations={name: "{{ 1 }}"})) == {("config", "declarations", name): "reserved"}


def test_a_thousand_in_a_chain_are_fine_and_more_are_too_many() -> None:
    chain: dict[str, object] = {f"d{n}": f"{{{{ d{n + 1} + 1 }}}}" for n in range(999)}
    rendered = render(spec(declarations=chain | {"d999": 0}))
    assert rendered.declarations is not None
    assert rendered.declarations["d0"] == 999
    many = {f"d{n}": n for n in range(10_000)}
    assert kinds(spec(declarations=many)) == {("config", "declarations"): "too_many"}
    assert kinds(spec(), declarations=many) == {("declarations",): "too_many"}


def test_together_they_fit_into_one_variable() -> None:
    assert kinds(spec(declarations={"a": "x" * 60_000, "b": "{{ a + a }}"})) == {
        ("config", "declarations"): "too_large"
    }


def test_they_are_an_object() -> None:
    assert kinds(spec(declarations=[1])) == {("config", "declarations"): "type_error"}
    assert kinds(spec(declarations="{{ x }}")) == {("config", "declarations"): "type_error"}
