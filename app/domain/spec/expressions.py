"""Parses a templated text with Jinja's parser and lets through only what our evaluator knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from app.domain.spec.problems import choices

MAX_TEMPLATE = 256 * 1024  # characters of one text
MAX_TOKENS = 20_000  # of one text
MAX_BRACKETS = 20  # levels: Jinja's parser recurses, some 14 frames for each
MAX_NESTING = 60  # levels of the tree, which the evaluator walks by recursion
_MAX_CACHED = 512  # characters: a tree takes a hundred times its text, and 256 of them are kept
FILTERS = frozenset(
    {
        "default",
        "join",
        "length",
        "int",
        "float",
        "round",
        "lower",
        "upper",
        "trim",
        "replace",
        "first",
        "last",
        "tojson",
    }
)

_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Keyword, nodes.CondExpr),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
    *(nodes.Neg, nodes.Pos, nodes.Not, nodes.And, nodes.Or, nodes.Compare, nodes.Operand),
)
_REFUSED = {
    nodes.Call: "calls are not allowed",
    nodes.Test: "tests (`is …`) are not allowed; compare instead",
    nodes.Slice: "slices are not allowed; take one item with [index]",
    nodes.Concat: "`~` is not allowed; use +",
    nodes.Assign: "{% set %} is not allowed; only {% if %} and {% for %} are",
    nodes.AssignBlock: "{% set %} is not allowed; only {% if %} and {% for %} are",
}


class TemplateProblem(Exception):
    """A template that can't be parsed or evaluated; the message says why."""


class OverBudget(TemplateProblem):
    """What all templates of a spec may use together is used up: nothing more is evaluated."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text. `single` is its expression when it is nothing else; `names` are those it looks up.

    `size` counts the nodes of its tree.
    """

    body: tuple[nodes.Node, ...]
    single: nodes.Expr | None
    names: frozenset[str]
    size: int


class _TokenLimits(Extension):
    """Ends the lexer's stream at its limits, before the parser has built a tree of it."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        depth = 0
        for number, token in enumerate(stream):
            if number >= MAX_TOKENS:
                raise TemplateSyntaxError(f"it has more than {MAX_TOKENS} words and signs", token.lineno)
            if token.type in ("lparen", "lbracket", "lbrace"):
                depth += 1
                if depth > MAX_BRACKETS:
                    raise TemplateSyntaxError("its brackets are nested too deep", token.lineno)
            elif token.type in ("rparen", "rbracket", "rbrace"):
                depth -= 1
            yield token


# Only ever used to parse. A text keeps its last newline, as one without a template does.
_ENVIRONMENT = Environment(keep_trailing_newline=True, extensions=[_TokenLimits])  # noqa: S701


def is_template(text: str) -> bool:
    """Whether there is something to render. A `{#` that nothing closes is the shell's `${#name}`."""
    return "{" in text and ("{{" in text or "{%" in text or ("{#" in text and "#}" in text))


def parse_template(text: str) -> Template:
    """The text's tree, checked. Raises TemplateProblem."""
    if len(text) > MAX_TEMPLATE:
        raise TemplateProblem(f"a templated text may have {MAX_TEMPLATE} characters")
    return _parse_cached(text) if len(text) <= _MAX_CACHED else _parse(text)


def _parse(text: str) -> Template:
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno > 1 else ""
        message = str(error.message)[:200]
        hint = "; put the shell's ${#…} between {% raw %} and {% endraw %}" if "comment" in message else ""
        raise TemplateProblem(f"is not a readable template: {message}{line}{hint}") from None
    except RecursionError:
        raise TemplateProblem("is nested too deep") from None
    except (ValueError, OverflowError):  # a number of thousands of digits
        raise TemplateProblem("holds a literal that can't be read") from None
    names, size = _check(tree)
    single = None
    if len(tree.body) == 1 and isinstance(output := tree.body[0], nodes.Output) and len(output.nodes) == 1:
        single = None if isinstance(output.nodes[0], nodes.TemplateData) else output.nodes[0]
    return Template(tuple(tree.body), single, names, size)


_parse_cached = lru_cache(maxsize=256)(_parse)


def _check(tree: nodes.Template) -> tuple[frozenset[str], int]:
    """Its free names and the count of its nodes. Raises TemplateProblem for a node that isn't allowed."""
    names: set[str] = set()
    count = 0
    stack: list[tuple[nodes.Node, frozenset[str], int]] = [(tree, frozenset(), 0)]
    while stack:
        node, bound, depth = stack.pop()
        count += 1
        if depth > MAX_NESTING:
            raise TemplateProblem("is nested too deep")
        _check_node(node)
        if isinstance(node, nodes.For):
            inner = bound | _targets(node)
            stack.append((node.iter, bound, depth + 1))
            stack.extend((child, bound, depth + 1) for child in node.else_)
            stack.extend((child, inner, depth + 1) for child in node.body)
            if node.test is not None:
                stack.append((node.test, inner, depth + 1))
            continue
        if isinstance(node, nodes.Name) and node.name not in bound:
            names.add(node.name)
        stack.extend((child, bound, depth + 1) for child in node.iter_child_nodes())
    return frozenset(names), count


def _check_node(node: nodes.Node) -> None:
    line = f" (line {node.lineno})" if node.lineno and node.lineno > 1 else ""
    if not isinstance(node, _ALLOWED):
        msg = _REFUSED.get(
            type(node), f"{type(node).__name__} is not allowed: only {{% if %}} and {{% for %}} are"
        )
        raise TemplateProblem(msg + line)
    if isinstance(node, nodes.Filter):
        if node.name not in FILTERS:
            raise TemplateProblem(f"there is no filter {node.name[:60]}{line}; {choices(node.name, FILTERS)}")
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateProblem(f"a filter takes no * or ** arguments{line}")
    if isinstance(node, nodes.For) and node.recursive:
        raise TemplateProblem(f"a loop can't be recursive{line}")


def _targets(loop: nodes.For) -> frozenset[str]:
    """The names that a loop binds: one, or several when it takes its items apart."""
    targets = loop.target.items if isinstance(loop.target, nodes.Tuple) else [loop.target]
    names = [target.name for target in targets if isinstance(target, nodes.Name)]
    if len(names) != len(targets):
        raise TemplateProblem("a loop names one variable, or several with commas")
    return frozenset(names)
