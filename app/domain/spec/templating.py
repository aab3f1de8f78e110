"""Renders the templates of a spec: the declarations first, in the order in which they need each other."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from app.domain.plain_json import check_json
from app.domain.spec.evaluator import FAILED, DependencyFailed, Evaluator
from app.domain.spec.expressions import OverBudget, TemplateProblem, is_template
from app.domain.spec.problems import Enough, Problems
from app.domain.spec.values import Budget
from app.errors import Location

MAX_DECLARATIONS = 1000
RESERVED = ("experiment", "project", "user")


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What templates may name beside the declarations."""

    experiment_id: int
    experiment_uuid: str
    outputs_path: str
    project_name: str
    user: str

    def names(self) -> dict[str, object]:
        """`experiment.id`, `.uuid`, `.outputs_path`, `project.name` and `user`."""
        return {
            "experiment": {
                "id": self.experiment_id,
                "uuid": self.experiment_uuid,
                "outputs_path": self.outputs_path,
            },
            "project": {"name": self.project_name},
            "user": self.user,
        }


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration as it was sent, and where."""

    value: object
    loc: Location


class Renderer:
    """Renders the strings of one spec within one budget, and notes every mistake.

    `rendered` holds the places whose value a template gave: there alone a text may become a number, and a
    number a text.
    """

    def __init__(self, context: RenderContext, problems: Problems) -> None:
        self.problems = problems
        self.budget = Budget()
        self.names = context.names()
        self.evaluator = Evaluator(self.names, self.budget)
        self.rendered: set[Location] = set()

    def tree(self, value: object, loc: Location) -> object:
        """The value with all its strings rendered; `FAILED` stands where one has a mistake, noted by now."""
        if isinstance(value, str):
            return self._text(value, loc) if is_template(value) else value
        if isinstance(value, dict):
            return {key: self.tree(child, (*loc, key)) for key, child in value.items()}
        if isinstance(value, list):
            return [self.tree(child, (*loc, index)) for index, child in enumerate(value)]
        return value

    def declarations(self, declared: Mapping[str, Declaration]) -> dict[str, object]:
        """All declarations rendered, in the order sent; from then on templates may name them."""
        needs: dict[str, list[str]] = {}
        for name, declaration in declared.items():
            if name in RESERVED:
                self.problems.add(declaration.loc, f"{name} has a meaning of its own; rename it", "reserved")
            elif (used := self._used(declaration.value)) is None:
                self.names[name] = declaration.value
            else:
                needs[name] = sorted(used & declared.keys())
        order, cycles = _in_order(needs)
        for cycle in cycles:
            self.names.update(dict.fromkeys(cycle, FAILED))
            self.problems.add(declared[cycle[0]].loc, f"needs itself: {_arrows(cycle)}", "cycle")
        for name in order:
            if self.names.get(name) is not FAILED:
                value = self.tree(declared[name].value, declared[name].loc)
                self.names[name] = FAILED if _failed(value) else value
        return {name: self.names[name] for name in declared if name not in RESERVED}

    def _used(self, value: object) -> set[str] | None:
        """The names that the templates in a value look up; None when there is no template."""
        used: set[str] | None = None
        for text in _texts(value):
            if is_template(text):
                used = set() if used is None else used
                with suppress(TemplateProblem):  # told when it is rendered
                    used |= self.budget.parse(text).names
        return used

    def _text(self, text: str, loc: Location) -> object:
        try:
            value = self.evaluator.render(self.budget.parse(text))
        except DependencyFailed:
            return FAILED
        except OverBudget as error:
            self.problems.add(loc, str(error), "template")
            raise Enough from None
        except TemplateProblem as error:
            self.problems.add(loc, str(error), "template")
            return FAILED
        places = check_json(value, loc)
        for place in places:
            self.problems.add(place.loc, place.msg, place.type)
        self.rendered.add(loc)
        return FAILED if places else value


def _texts(value: object) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, (dict, list)):
            stack.extend(item.values() if isinstance(item, dict) else item)


def _failed(value: object) -> bool:
    stack = [value]
    while stack:
        item = stack.pop()
        if item is FAILED:
            return True
        if isinstance(item, (dict, list)):
            stack.extend(item.values() if isinstance(item, dict) else item)
    return False


def _in_order(needs: Mapping[str, list[str]]) -> tuple[list[str], list[list[str]]]:
    """Names so that each comes after what it needs, and the cycles among them. No recursion."""
    order: list[str] = []
    cycles: list[list[str]] = []
    done: set[str] = set()
    for root in needs:
        if root in done:
            continue
        path = {root: iter(needs[root])}  # a dict keeps the order in which it was walked
        while path:
            name, rest = next(reversed(path.items()))
            for other in rest:
                if other in path:
                    walked = list(path)
                    cycles.append(walked[walked.index(other) :])
                elif other in needs and other not in done:
                    path[other] = iter(needs[other])
                    break
            else:
                del path[name]
                done.add(name)
                order.append(name)
    return order, cycles


def _arrows(cycle: list[str]) -> str:
    shown = cycle[:10] if len(cycle) <= 10 else [*cycle[:9], "…"]
    return " → ".join([*(name[:60] for name in shown), cycle[0][:60]])
