"""Templates: Jinja's syntax and results, on the part of it that specs may use."""

import pytest

from app.domain.spec.expressions import is_template
from tests.domain.spec.specs import NAMES, problem_of, refusal, render, spec, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ batch }}", 64),
        ("{{ lr }}", 0.01),
        ("{{ layers }}", [128, 64]),
        ("{{ data }}", NAMES["data"]),
        ("{{ on }}", True),
        ("{{ nothing }}", None),
        ("{{- batch -}}", 64),
        ("{{ batch * 10 }}", 640),
        ("{{ batch / 10 }}", 6.4),
        ("{{ batch // 10 }}", 6),
        ("{{ batch % 10 }}", 4),
        ("{{ 2 ** 10 }}", 1024),
        ("{{ (-1) ** (10 ** 30 + 1) }}", -1),
        ("{{ -batch + +1 }}", -63),
        ("{{ 'a' + name }}", "amnist"),
        ("{{ layers + [1] }}", [128, 64, 1]),
        ("{{ 'ab' * 2 }}", "abab"),
        ("{{ 2 * [0] }}", [0, 0]),
        ("{{ name * -1 }}", ""),
        ("{{ data.name }}", "mnist"),
        ("{{ data['a key'] }}", "x"),
        ("{{ data.sizes[1] }}", 2.5),
        ("{{ layers[-1] }}", 64),
        ("{{ name[0] }}", "m"),
        ("{{ [1, 'x', none, true] }}", [1, "x", None, True]),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ {'a': {'b': batch}} }}", {"a": {"b": 64}}),
        ("{{ batch > 10 and lr < 1 }}", True),
        ("{{ batch > 10 > 20 }}", False),
        ("{{ not on or empty }}", []),
        ("{{ 64 in layers }}", True),
        ("{{ 'x' not in name }}", True),
        ("{{ 'name' in data }}", True),
        ("{{ 'big' if batch > 10 else 'small' }}", "big"),
        ("{{ '--clip' if lr > 1 }}", ""),
        ("{{ nope|default(5) }}", 5),
        ("{{ nope|default }}", ""),
        ("{{ nope.deeper.still|default('x') }}", "x"),
        ("{{ data.nope|default(name) }}", "mnist"),
        ("{{ layers[9]|default(0) }}", 0),
        ("{{ empty|first|default('none') }}", "none"),
        ("{{ empty|last|default('none') }}", "none"),
        ("{{ batch|default(nope) }}", 64),
        ("{{ ''|default('x') }}", ""),
        ("{{ ''|default('x', true) }}", "x"),
        ("{{ ''|default('x', boolean=true) }}", "x"),
        ("{{ nope|default(other|default(1)) }}", 1),
        ("{{ layers|join(',') }}", "128,64"),
        ("{{ layers|join }}", "12864"),
        ("{{ layers|length }}", 2),
        ("{{ data|length }}", 3),
        ("{{ '42.9'|int }}", 42),
        ("{{ 'x'|int(7) }}", 7),
        ("{{ 'ff'|int(base=16) }}", 255),
        ("{{ '1.5'|float }}", 1.5),
        ("{{ layers|float(2.0) }}", 2.0),
        ("{{ 2.567|round(2) }}", 2.57),
        ("{{ 2.1|round(method='ceil') }}", 3.0),
        ("{{ 2.9|round(0, 'floor') }}", 2.0),
        ("{{ name|upper }}", "MNIST"),
        ("{{ 'ABC'|lower }}", "abc"),
        ("{{ ' x '|trim }}", "x"),
        ("{{ 'xxaxx'|trim('x') }}", "a"),
        ("{{ 'aaa'|replace('a', 'b', 2) }}", "bba"),
        ("{{ 'aaa'|replace('a', 'b') }}", "bbb"),
        ("{{ layers|first }}", 128),
        ("{{ layers|last }}", 64),
        ("{{ data|tojson }}", '{"a key": "x", "name": "mnist", "sizes": [1, 2.5]}'),
        ("{{ words|tojson }}", '["b", "A", "\\u003c\\u0027\\u0026\\u003e"]'),
        ("{{ [1]|tojson(indent=2) }}", "[\n  1\n]"),
    ],
)
def test_a_text_that_is_one_expression_keeps_the_value_and_its_type(text: str, value: object) -> None:
    given_value = value_of(text, **NAMES)
    assert given_value == value
    assert type(given_value) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x{{ batch }}", "x64"),
        ("{{ batch }}{{ batch }}", "6464"),
        ("{{ on }} {{ nothing }} {{ layers }} {{ data.sizes }}", "True None [128, 64] [1, 2.5]"),
        ("{{ {'a': 'b'} }}!", "{'a': 'b'}!"),
        ("{{ lr / 1000 }}s", "1e-05s"),
        ("{{ batch }}\n", "64\n"),
        ("{% if lr > 0.1 %}--clip{% endif %}", ""),
        ("{% if lr > 1 %}a{% elif batch == 64 %}b{% else %}c{% endif %}", "b"),
        ("{% if nope|default(false) %}a{% else %}c{% endif %}", "c"),
        ("{% for n in layers %}{{ n }};{% endfor %}", "128;64;"),
        ("{% for n in layers if n > 100 %}{{ n }}{% endfor %}", "128"),
        ("{% for n in empty %}{{ n }}{% else %}none{% endfor %}", "none"),
        ("{% for n in layers if n > 900 %}{{ n }}{% else %}none{% endfor %}", "none"),
        ("{% for c in name %}{{ c }}-{% endfor %}", "m-n-i-s-t-"),
        ("{% for key in data %}{{ key }},{% endfor %}", "name,sizes,a key,"),
        ("{% for a, b in [[1, 2], 'xy'] %}{{ a }}{{ b }} {% endfor %}", "12 xy "),
        (
            "{% for a in layers %}{% for b in layers %}{{ a + b }} {% endfor %}{% endfor %}",
            "256 192 192 128 ",
        ),
        ("{% for lr in layers %}{{ lr }} {% endfor %}{{ lr }}", "128 64 0.01"),
        ("a{# note #}b", "ab"),
        ("{% raw %}{{ lr }} ${#x}{% endraw %}", "{{ lr }} ${#x}"),
        ("a  {%- if on %} b {% endif -%}  c", "a b c"),
    ],
)
def test_inside_longer_text_a_value_is_written_as_python_writes_it(text: str, value: str) -> None:
    assert value_of(text, **NAMES) == value


@pytest.mark.parametrize("text", ["${#array[@]}", "a { b", "100%", "{ {", "%{http_code}", "}}", "#}"])
def test_a_text_without_a_template_stays_as_it_is(text: str) -> None:
    assert not is_template(text)
    assert value_of(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ lrr }}", "lrr is not defined; defined: batch, data, empty, experiment"),
        ("{{ lrr }}", "Did you mean lr?"),
        ("{{ data.nme }}", "there is no nme in it; keys: a key, name, sizes. Did you mean name?"),
        ("{{ layers[7] }}", "there is no item 7: it has 2"),
        ("{{ layers[10**12] }}", "a list has nothing under 1000000000000"),
        ("{{ data[0] }}", "an object has nothing under 0"),
        ("{{ batch.real }}", "a number has nothing under 'real'"),
        ("{{ empty|first }}", "first of nothing is not defined"),
        ("{{ empty|last }}", "last of nothing is not defined"),
        ("{{ nope + 1 }}", "nope is not defined"),
        ("{% if nope %}{% endif %}", "nope is not defined"),
        ("{% for n in layers %}{{ loop.index }}{% endfor %}", "loop is not defined"),
        ("{{ 1 / 0 }}", "divides by zero"),
        ("{{ 1 % 0 }}", "divides by zero"),
        ("{{ name - 1 }}", "- does not work on a text and a number"),
        ("{{ name + 1 }}", "+ does not work on a text and a number"),
        ("{{ '%5d' % 1 }}", "% does not work on a text and a number"),
        ("{{ 'x' * 1.5 }}", "* does not work on a text and a number"),
        ("{{ -name }}", "- does not work on a text"),
        ("{{ name < 1 }}", "a text and a number can't be compared so"),
        ("{{ 1 in 2 }}", "a number and a number can't be compared so"),
        ("{{ batch|join(',') }}", "a number has no items"),
        ("{{ nothing|length }}", "nothing (None) has no items"),
        ("{{ name|round }}", "round does not work on a text"),
        ("{{ 1.5|round(method='up') }}", "round's method is common, ceil or floor"),
        ("{{ 1.5|round('x') }}", "precision must be a whole number from -20 to 20"),
        ("{{ '1'|int(base=99) }}", "base must be a whole number from 0 to 36"),
        ("{{ name|trim(1) }}", "trim takes a text"),
        ("{{ name|replace('a') }}", "replace does not take these arguments"),
        ("{{ name|upper(budget=1) }}", "upper does not take these arguments"),
        ("{{ name|default(1, 2, 3) }}", "default does not take these arguments"),
        ("{{ layers|join(*layers) }}", "a filter takes no * or ** arguments"),
        ("{{ layers|joined }}", "there is no filter joined; allowed: default, first, float, int, join"),
        ("{{ name|attr('x') }}", "there is no filter attr"),
        ("{{ name|format(1) }}", "there is no filter format"),
        ("{{ range(10) }}", "calls are not allowed"),
        ("{{ name.upper() }}", "calls are not allowed"),
        ("{{ name is defined }}", "tests (`is …`) are not allowed"),
        ("{{ layers[0:1] }}", "slices are not allowed"),
        ("{{ name ~ lr }}", "`~` is not allowed; use +"),
        ("{% set x = 1 %}", "{% set %} is not allowed"),
        ("{% set x %}a{% endset %}", "{% set %} is not allowed"),
        ("{% include 'x' %}", "Include is not allowed: only {% if %} and {% for %} are"),
        ("{% import 'x' as y %}", "Import is not allowed"),
        ("{% extends 'x' %}", "Extends is not allowed"),
        ("{% block x %}{% endblock %}", "Block is not allowed"),
        ("{% macro x() %}{% endmacro %}", "Macro is not allowed"),
        ("{% filter upper %}x{% endfilter %}", "FilterBlock is not allowed"),
        ("{% with x=1 %}{% endwith %}", "With is not allowed"),
        ("{% for n in layers recursive %}{% endfor %}", "a loop can't be recursive"),
        ("{% for n in batch %}{% endfor %}", "a loop does not go over a number"),
        ("{% for a, b in layers %}{% endfor %}", "a loop over 2 names needs items of as many"),
        ("{% for a, (b, c) in layers %}{% endfor %}", "a loop names one variable, or several"),
        ("{{ {1: 2} }}", "a key must be a text, not a number"),
        ("{{ lr", "is not a readable template: unexpected end of template"),
        ("{{ }}", "is not a readable template: Expected an expression"),
        ("{% if lr %}", "is not a readable template: Unexpected end of template"),
        ("{% nope %}", "is not a readable template: Encountered unknown tag 'nope'"),
        ("\n\n{{ lr", "(line 3)"),
        ("\n{{ nope() }}", "calls are not allowed (line 2)"),
        ("{{ lr }} ${#x}", "put the shell's ${#…} between {% raw %} and {% endraw %}"),
        ('{{ "\\ud800" }}', "must not hold a lone surrogate"),
        ('{{ "\\x00" }}', "must not hold a NUL character"),
        ("{{ 2 ** 64 }}", "must be a number of 64 bits"),
    ],
)
def test_what_can_not_be_rendered_says_why(text: str, why: str) -> None:
    assert why in problem_of(text, **NAMES)


@pytest.mark.parametrize(
    "path",
    ["__class__", "__init__", "__globals__", "format", "items", "_TemplateReference__context", "mro"],
)
@pytest.mark.parametrize(
    "subject", ["name", "batch", "layers", "data", "experiment", "user", "''", "[]", "none"]
)
def test_no_python_attribute_is_in_reach(subject: str, path: str) -> None:
    for expression in (f"{subject}.{path}", f"{subject}['{path}']"):
        assert path in problem_of(f"{{{{ {expression} }}}}", **NAMES)
        assert value_of(f"{{{{ {expression}|default('safe') }}}}", **NAMES) == "safe"


@pytest.mark.parametrize(
    "name", ["self", "request", "config", "cycler", "lipsum", "namespace", "range", "dict"]
)
def test_jinjas_own_names_mean_nothing(name: str) -> None:
    assert f"{name} is not defined" in problem_of(f"{{{{ {name} }}}}")


def test_the_experiment_its_project_and_its_user_can_be_named() -> None:
    names = ("experiment.id", "experiment.uuid", "experiment.outputs_path", "project.name", "user")
    rendered = render(spec(run={"cmd": [f"{{{{ {name} }}}}" for name in names]}))
    assert rendered.command == f"7 && {'ab' * 16} && /data/outputs/abab && quick-start && root"


def test_level_version_kind_and_termination_are_not_templated() -> None:
    told = refusal(
        spec(
            declarations={"x": 1},
            version="{{ x }}",
            kind="{{ x }}",
            logging={"level": "{{ x }}"},
            termination={"max_retries": "{{ x }}", "timeout": "{{ x }}"},
        )
    )
    assert set(told) == {
        ("config", "version"),
        ("config", "kind"),
        ("config", "logging", "level"),
        ("config", "termination", "max_retries"),
        ("config", "termination", "timeout"),
    }
