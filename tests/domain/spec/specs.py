"""Short ways to write a spec, to render it, and to see what is wrong with it."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.spec.reader import read_spec
from app.domain.spec.render import RenderContext, render_spec
from app.domain.spec.rendered import Allowed, RenderedSpec
from app.errors import BadInput, Location

CONTEXT = RenderContext(
    experiment_id=7,
    experiment_uuid="ab" * 16,
    outputs_path="/data/outputs/abab",
    project_name="quick-start",
    user="root",
)

# Declarations of every kind, for templates to name.
NAMES: dict[str, Any] = {
    "lr": 0.01,
    "batch": 64,
    "name": "mnist",
    "on": True,
    "nothing": None,
    "layers": [128, 64],
    "data": {"name": "mnist", "sizes": [1, 2.5], "a key": "x"},
    "words": ["b", "A", "<'&>"],
    "empty": [],
}


def spec(**sections: object) -> dict[str, object]:
    """The smallest spec, with these sections."""
    return {"version": 1, "kind": "experiment", "run": {"cmd": "true"}, **sections}


def render(
    config: object, *, declarations: Mapping[str, object] | None = None, allowed: Allowed | None = None
) -> RenderedSpec:
    """Read and render as create does."""
    return render_spec(read_spec(config), context=CONTEXT, declarations=declarations, allowed=allowed)


def refusal(config: object, **options: Any) -> dict[Location, str]:
    """Where a spec is refused, and why; fails when it isn't."""
    with pytest.raises(BadInput) as error:
        render(config, **options)
    assert error.value.errors
    return {place.loc: place.msg for place in error.value.errors}


def kinds(config: object, **options: Any) -> dict[Location, str]:
    """Where a spec is refused, and the stable word for each mistake."""
    with pytest.raises(BadInput) as error:
        render(config, **options)
    return {place.loc: place.type for place in error.value.errors or ()}


def value_of(text: str, **declarations: object) -> object:
    """What a text renders to, as a declaration beside others."""
    rendered = render(spec(declarations={"it": text, **declarations}))
    assert rendered.declarations is not None
    return rendered.declarations["it"]


def problem_of(text: str, **declarations: object) -> str:
    """Why a text can't be rendered; its place is its own."""
    told = refusal(spec(declarations={"it": text, **declarations}))
    [(loc, msg)] = told.items()
    assert loc == ("config", "declarations", "it")
    return msg
