"""Walks a parsed template with plain values and a budget: no Python attribute, call or format is in reach."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from jinja2 import nodes

from app.domain.plain_json import show
from app.domain.spec.expressions import Template, TemplateProblem
from app.domain.spec.filters import FUNCTIONS
from app.domain.spec.operators import binary, compare, kind, unary
from app.domain.spec.problems import choices
from app.domain.spec.values import MAX_SIZE, Budget, Undefined, checked

_MAX_ITEM = 2**31
_SYMBOLS: dict[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
    nodes.Neg: "-",
    nodes.Pos: "+",
}


class DependencyFailed(Exception):
    """A name stands for a declaration that has a mistake of its own, which is told there."""


FAILED = object()


class Evaluator:
    """Evaluates templates over `names`. A name that stands for `FAILED` raises DependencyFailed."""

    def __init__(self, names: Mapping[str, object], budget: Budget) -> None:
        self.names = names
        self.budget = budget
        self.bound: dict[str, object] = {}

    def render(self, template: Template) -> object:
        """The value of a text: that of its single expression, else text.

        Raises TemplateProblem, DependencyFailed.
        """
        if template.single is not None:
            value = self._value(template.single)
            self.budget.keep(self.budget.measure(value))
            return value
        parts: list[str] = []
        try:
            self._run(template.body, _Text(parts, self.budget))
        finally:
            self.bound = {}
        return "".join(parts)

    # Statements

    def _run(self, body: Iterable[nodes.Node], out: "_Text") -> None:
        for node in body:
            self.budget.spend(1)
            if isinstance(node, nodes.Output):
                for item in node.nodes:
                    if isinstance(item, nodes.TemplateData):
                        out.write(item.data)
                    else:
                        out.write(self.budget.text(self._value(item)))
            elif isinstance(node, nodes.If):
                self._run_if(node, out)
            else:
                self._run_for(cast("nodes.For", node), out)

    def _run_if(self, node: nodes.If, out: "_Text") -> None:
        for branch in (node, *node.elif_):
            if self._value(branch.test):
                return self._run(branch.body, out)
        return self._run(node.else_, out)

    def _run_for(self, node: nodes.For, out: "_Text") -> None:
        items = self._value(node.iter)
        if not isinstance(items, (str, list, dict)):
            raise TemplateProblem(f"a loop does not go over {kind(items)}")
        outer, ran = self.bound, False
        for item in items:
            self.budget.spend(1)
            self.bound = {**outer, **_take_apart(node.target, item)}
            if node.test is None or self._value(node.test):
                ran = True
                self._run(node.body, out)
        self.bound = outer
        if not ran:
            self._run(node.else_, out)

    # Expressions

    def _value(self, node: nodes.Node) -> Any:
        """The value of an expression. Raises TemplateProblem when it is not defined."""
        value = self._maybe(node)
        if isinstance(value, Undefined):
            raise TemplateProblem(value.why())
        return value

    def _maybe(self, node: nodes.Node) -> object:
        """The value of an expression, or Undefined."""
        self.budget.spend(1)
        return _EVALUATE[type(node)](self, node)

    def _name(self, node: nodes.Name) -> object:
        if node.name in self.bound:
            return self.bound[node.name]
        if node.name not in self.names:
            name = node.name
            return Undefined(
                lambda: f"{name[:60]} is not defined; {choices(name, self.names, noun='defined')}"
            )
        value = self.names[node.name]
        if value is FAILED:
            raise DependencyFailed
        return value

    def _const(self, node: nodes.Const) -> object:
        return checked(node.value)

    def _list(self, node: nodes.List | nodes.Tuple) -> object:
        value = [self._value(item) for item in node.items]
        self.budget.measure(value)
        return value

    def _dict(self, node: nodes.Dict) -> object:
        value: dict[str, object] = {}
        for pair in node.items:
            key = self._value(pair.key)
            if not isinstance(key, str):
                raise TemplateProblem(f"a key must be a text, not {kind(key)}")
            value[key] = self._value(pair.value)
        self.budget.measure(value)
        return value

    def _getattr(self, node: nodes.Getattr) -> object:
        return self._item(node.node, node.attr)

    def _getitem(self, node: nodes.Getitem) -> object:
        return self._item(node.node, self._value(node.arg))

    def _item(self, of: nodes.Node, key: object) -> object:
        value = self._maybe(of)
        if isinstance(value, Undefined):
            return value
        if isinstance(value, dict) and isinstance(key, str):
            if key in value:
                return value[key]
            return Undefined(lambda: f"there is no {key[:60]} in it; {choices(key, value, noun='keys')}")
        if isinstance(value, (list, str)) and isinstance(key, int) and abs(key) < _MAX_ITEM:
            if -len(value) <= key < len(value):
                return value[key]
            return Undefined(lambda: f"there is no item {key}: it has {len(value)}")
        return Undefined(lambda: f"{kind(value)} has nothing under {show(key)}")

    def _conditional(self, node: nodes.CondExpr) -> object:
        if self._value(node.test):
            return self._maybe(node.expr1)
        # Jinja prints nothing where there is no else; so does a whole expression of ours.
        return "" if node.expr2 is None else self._maybe(node.expr2)

    def _filter(self, node: nodes.Filter) -> object:
        subject = cast("nodes.Expr", node.node)  # only a {% filter %} block has none
        arguments = [partial(self._value, item) for item in node.args]
        keywords = cast("list[nodes.Keyword]", node.kwargs)  # Jinja's own annotation says Pair
        named = {keyword.key: partial(self._value, keyword.value) for keyword in keywords}
        try:
            if node.name == "default":
                return self._default(self._maybe(subject), *arguments, **named)
            value = self._value(subject)
            values = {key: get() for key, get in named.items()}
            return FUNCTIONS[node.name](self.budget, value, *(get() for get in arguments), **values)
        except TypeError:
            raise TemplateProblem(f"{node.name} does not take these arguments") from None

    def _default(
        self,
        value: object,
        default_value: Callable[[], object] = lambda: "",
        boolean: Callable[[], object] = lambda: False,
    ) -> object:
        if isinstance(value, Undefined) or (not value and boolean()):
            return default_value()
        return value

    def _binary(self, node: nodes.BinExpr) -> object:
        return binary(_SYMBOLS[type(node)], self._value(node.left), self._value(node.right), self.budget)

    def _unary(self, node: nodes.UnaryExpr) -> object:
        return unary(_SYMBOLS[type(node)], self._value(node.node))

    def _not(self, node: nodes.Not) -> object:
        return not self._value(node.node)

    def _and(self, node: nodes.And) -> object:
        left = self._value(node.left)
        return left and self._value(node.right)

    def _or(self, node: nodes.Or) -> object:
        left = self._value(node.left)
        return left or self._value(node.right)

    def _compare(self, node: nodes.Compare) -> object:
        left = self._value(node.expr)
        for operand in node.ops:
            right = self._value(operand.expr)
            if not compare(operand.op, left, right, self.budget):
                return False
            left = right
        return True


_EVALUATE: dict[type[nodes.Node], Callable[[Evaluator, Any], object]] = {
    nodes.Name: Evaluator._name,
    nodes.Const: Evaluator._const,
    nodes.List: Evaluator._list,
    nodes.Tuple: Evaluator._list,
    nodes.Dict: Evaluator._dict,
    nodes.Getattr: Evaluator._getattr,
    nodes.Getitem: Evaluator._getitem,
    nodes.CondExpr: Evaluator._conditional,
    nodes.Filter: Evaluator._filter,
    nodes.Not: Evaluator._not,
    nodes.And: Evaluator._and,
    nodes.Or: Evaluator._or,
    nodes.Compare: Evaluator._compare,
    nodes.Neg: Evaluator._unary,
    nodes.Pos: Evaluator._unary,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
        Evaluator._binary,
    ),
}


class _Text:
    """The text that a template writes, counted while it grows."""

    def __init__(self, parts: list[str], budget: Budget) -> None:
        self.parts = parts
        self.budget = budget
        self.length = 0

    def write(self, text: str) -> None:
        self.length += len(text)
        self.budget.spend_text(self.length if self.length > MAX_SIZE else len(text))
        self.budget.keep(len(text))
        self.parts.append(text)


def _take_apart(target: nodes.Node, item: object) -> dict[str, object]:
    """What a loop's names stand for in one round."""
    if isinstance(target, nodes.Name):
        return {target.name: item}
    names: Sequence[Any] = target.items if isinstance(target, nodes.Tuple) else ()
    if not isinstance(item, (str, list)) or len(item) != len(names):
        raise TemplateProblem(f"a loop over {len(names)} names needs items of as many")
    return {name.name: part for name, part in zip(names, item, strict=True)}
