"""YAML by the rules of 1.2's core schema: what a scalar means, and what is refused."""

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from app.domain.spec import yaml_text
from app.domain.spec.yaml_text import MAX_ALIASED, read_yaml
from app.errors import BadInput, Location, Place


def refused(text: str) -> Place:
    with pytest.raises(BadInput) as error:
        read_yaml(text, ("config",))
    [place] = error.value.errors or ()
    assert place.loc[0] == "config"
    return place


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1),
        ("-0", 0),
        ("0777", 777),
        ("0o17", 15),
        ("0xfF", 255),
        ("1_000", "1_000"),
        ("2018-10-01", "2018-10-01"),
        ("2018-10-01 12:00:00", "2018-10-01 12:00:00"),
        ("12:30:45", "12:30:45"),
        ("true", True),
        ("false", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nil", "nil"),
        ("nulls", "nulls"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1.2.3", "1.2.3"),
        ("0b1", "0b1"),
        ("=", "="),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!float 3.5", 3.5),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!map {}", {}),
        ("!!seq []", []),
        ('"\\U0001F600"', "😀"),
        ("1e400", float("inf")),
    ],
)
def test_scalars_mean_what_the_core_schema_says(scalar: str, value: object) -> None:
    read = read_yaml(f"a: {scalar}\n", ("config",))
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert type(read["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1: x\ntrue: y\n~: z\n", {"1": "x", "true": "y", "~": "z"}),
        ("? a\n: 1", {"a": 1}),
        ("!!str a: 1", {"a": 1}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: >\n  x\n  y\n", {"a": "x y\n"}),
        ("# note\na: 1 # more\n", {"a": 1}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("%YAML 1.1\n---\na: yes", {"a": "yes"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
        ("? &k a\n: 1\nb: {*k : 2}", {"a": 1, "b": {"a": 2}}),
        ("a: &x {p: 1, q: 1}\nb: {<<: *x, q: 2}", {"a": {"p": 1, "q": 1}, "b": {"p": 1, "q": 2}}),
        ("a: &x {p: 1}\nb: {<<: [*x, {p: 2, r: 3}]}", {"a": {"p": 1}, "b": {"p": 1, "r": 3}}),
        ("", None),
    ],
)
def test_documents_become_plain_values(text: str, value: object) -> None:
    assert read_yaml(text, ("config",)) == value


@pytest.mark.parametrize(
    ("text", "loc", "kind"),
    [
        ("a: 1\nb: 2\na: 3", ("a",), "duplicate_key"),
        ("a: {b: 1, b: 2}", ("a", "b"), "duplicate_key"),
        ("1: a\n'1': b", ("1",), "duplicate_key"),
        ("a: 1\n---\nb: 2", (), "yaml_documents"),
        ("a: .nan", ("a",), "not_finite"),
        ("a: [1, -.inf]", ("a", 1), "not_finite"),
        ("a: " + "9" * 40, ("a",), "too_large"),
        ("a: *x", ("a",), "yaml_alias"),
        ("a: &x [*x]", ("a", 0), "yaml_alias"),
        ("a: &x [1]\n*x : 2", (), "yaml_key"),
        ("a: {{ lr }}", ("a",), "yaml_key"),
        ("? [1]\n: 2", (), "yaml_key"),
        ("a: !!python/object:os.system x", ("a",), "yaml_tag"),
        ("a: !mine x", ("a",), "yaml_tag"),
        ("a: !!int x", ("a",), "yaml_tag"),
        ("a: !mine [1]", ("a",), "yaml_tag"),
        ("a: !!seq {}", ("a",), "yaml_tag"),
        ("a: !!set {x}", ("a",), "yaml_tag"),
        ("a: {<<: 1}", ("a", "<<"), "yaml_merge"),
        ("a: [1,", ("a", 1), "yaml_syntax"),
        ("a: 'x", ("a",), "yaml_syntax"),
        ("a: b: c", (), "yaml_syntax"),
        ("\ta: 1", (), "yaml_syntax"),
        ('a: "\\U00110000"', ("a",), "yaml_syntax"),
        ("%YAML 1." + "9" * 5000 + "\n--- a", (), "yaml_syntax"),
        ("%YAML 2.0\n--- a", (), "yaml_syntax"),
        ("a: !" + "b" * 20_000 + " x", (), "yaml_syntax"),
        ("a: &x " + "x" * (MAX_ALIASED // 2) + "\nb: [*x, *x, *x]", ("b", 1), "yaml_alias"),
    ],
)
def test_what_is_refused_names_its_place(text: str, loc: Location, kind: str) -> None:
    place = refused(text)
    assert place.type == kind
    if kind != "yaml_syntax":
        assert place.loc == ("config", *loc)


def test_too_many_values_are_refused_where_they_become_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MAX_EVENTS", 100)
    place = refused("a: [" + "1," * 200 + "]")
    assert (place.loc[:2], place.type) == (("config", "a"), "too_large")


def test_bad_syntax_says_line_and_column() -> None:
    assert refused("a: 1\nb: [1,\n").msg.endswith("(line 3, column 1)")


def test_an_unquoted_template_is_told_to_need_quotes() -> None:
    assert "needs quotes" in refused("lr: {{ lr }}").msg


def test_aliases_that_multiply_end_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert refused("\n".join(lines)).type == "yaml_alias"


# NEL, LS and PS are line breaks to ruamel's scanner, as they were in YAML 1.1.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x85\u2028\u2029"), max_size=20)
)
KEYS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@example(["?0"])
@example({"A": ["?a b", "?"]})
def test_what_a_yaml_writer_wrote_reads_back(value: Any) -> None:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.width = 10**9  # where it breaks a text in quotes, it may add a space
    writer.dump(value, out)
    assert read_yaml(out.getvalue(), ()) == value


@given(JSON)
def test_json_is_yaml(value: Any) -> None:
    # A pair of surrogate escapes is one character in JSON and two in YAML: so write characters as they are.
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        assert read_yaml(text, ()) == value


@given(st.text(st.sampled_from("a1 :-[]{}'\"&*!|>%@`#,?\n\t~<\\.0é\ufeff"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadInput):
        read_yaml(text, ("config",))
