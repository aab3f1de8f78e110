"""Random templates: what ours gives is what Jinja's own sandbox gives, or an error."""

from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import StrictUndefined, TemplateError, pass_eval_context
from jinja2.filters import do_tojson
from jinja2.nodes import EvalContext
from jinja2.sandbox import SandboxedEnvironment

from app.domain.spec.expressions import is_template
from app.errors import BadInput
from tests.domain.spec.specs import NAMES, problem_of, value_of

ORACLE = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


@pass_eval_context
def tojson(context: EvalContext, value: object, indent: int | None = None) -> str:
    """Jinja's, without the mark for templates of HTML, which shows where a value holds it."""
    return str(do_tojson(context, value, indent))


ORACLE.filters["tojson"] = tojson

ATOMS = st.sampled_from(
    [
        *("lr", "batch", "name", "on", "nothing", "layers", "data", "words", "empty", "nope"),
        *("data.name", "data.sizes", "layers[0]", "data['a key']", "words[-1]", "layers[5]"),
        *(
            "0",
            "1",
            "7",
            "2.5",
            "1e3",
            "'a'",
            "'1.5'",
            "''",
            "true",
            "none",
            "[]",
            "['x', 1]",
            "{'k': 1}",
            "-3",
        ),
    ]
)
FILTERED = st.sampled_from(
    [
        *("default(1)", "default('d', true)", "join", "join('-')", "length", "first", "last"),
        *("int", "int(3)", "float", "round", "round(1)", "round(1, 'floor')", "round(method='ceil')"),
        *("lower", "upper", "trim", "trim('a')", "tojson", "tojson(2)"),
        *("replace('a', 'bb')", "replace('', '.')", "replace('m', 'n', 1)"),
    ]
)
OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, OPERATORS, inner).map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
        st.tuples(inner, FILTERED).map(lambda part: f"({part[0]}|{part[1]})"),
        st.tuples(inner, inner, inner).map(lambda part: f"({part[0]} if {part[1]} else {part[2]})"),
        inner.map(lambda part: f"(not {part})"),
        inner.map(lambda part: f"(-{part})"),
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        inner.map(lambda part: f"{{'k': {part}}}"),
    ),
    max_leaves=8,
)


def plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, str) else value


@given(EXPRESSIONS)
@example("(nope|default(1))")
@example("(words|tojson)")
def test_an_expression_gives_what_jinja_gives_or_an_error(expression: str) -> None:
    try:
        mine = value_of(f"{{{{ {expression} }}}}", **NAMES)
    except BadInput:
        return
    theirs = ORACLE.compile_expression(expression, undefined_to_none=False)(**NAMES)
    assert mine == plain(theirs)
    assert type(mine) is type(plain(theirs))


@given(EXPRESSIONS)
def test_what_jinja_can_not_give_is_an_error_here_too(expression: str) -> None:
    try:
        ORACLE.from_string(f"{{{{ {expression} }}}}").render(**NAMES)
    except (TemplateError, TypeError, ArithmeticError, ValueError):
        problem_of(f"{{{{ {expression} }}}}", **NAMES)


TEXTS = st.recursive(
    st.sampled_from(["x", " ", "\n", "--a=", "{# c #}"]) | EXPRESSIONS.map(lambda part: f"{{{{ {part} }}}}"),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(EXPRESSIONS, inner, inner).map(
            lambda part: f"{{% if {part[0]} %}}{part[1]}{{% else %}}{part[2]}{{% endif %}}"
        ),
        st.tuples(EXPRESSIONS, inner, inner).map(
            lambda part: (
                f"{{% for lr in {part[0]} %}}{part[1]}{{{{ lr }}}}{{% else %}}{part[2]}{{% endfor %}}"
            )
        ),
    ),
    max_leaves=5,
)


@given(TEXTS)
def test_a_longer_text_gives_what_jinja_gives_or_an_error(text: str) -> None:
    text = f"> {text}"
    try:
        mine = value_of(text, **NAMES)
    except BadInput:
        return
    assert mine == (ORACLE.from_string(text).render(**NAMES) if is_template(text) else text)
