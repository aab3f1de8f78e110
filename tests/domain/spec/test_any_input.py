"""Whatever is sent: a rendered spec, or an error with places that can be sent back. Never anything else."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.spec.reader import read_spec
from app.domain.spec.render import render_spec
from app.domain.spec.rendered import RenderedSpec
from app.errors import BadInput
from tests.domain.spec.specs import CONTEXT

KEYS = st.sampled_from(
    [
        *(
            "version",
            "kind",
            "logging",
            "level",
            "tags",
            "declarations",
            "environment",
            "build",
            "run",
            "cmd",
        ),
        *("termination", "max_retries", "timeout", "resources", "cpu", "memory", "gpu", "requests", "limits"),
        *(
            "node_selector",
            "affinity",
            "nodeAffinity",
            "tolerations",
            "key",
            "operator",
            "persistence",
            "data",
        ),
        *(
            "outputs",
            "experiments",
            "secret_refs",
            "tensorflow",
            "mxnet",
            "n_workers",
            "n_ps",
            "worker",
            "index",
        ),
        *("default_worker", "image", "build_steps", "env_vars", "nocache", "a", "b", "user"),
    ]
)
TEXTS = st.sampled_from(
    [
        *(
            "",
            "a",
            "experiment",
            "INFO",
            "2Gi",
            "500m",
            "{{ a }}",
            "{{ b }}x",
            "{{ a.b }}",
            "{% if a %}{% endif %}",
        ),
        *("{{", "{{ a|int }}", "{{ [a, b] }}", "{{ {'a': a} }}", "{{ a ** b }}", "${#x}", "\0", "\ud800"),
    ]
) | st.text(max_size=10)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats() | TEXTS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    max_leaves=25,
)


def outcome(config: object, declarations: dict[str, Any] | None = None) -> RenderedSpec | BadInput:
    try:
        return render_spec(read_spec(config), context=CONTEXT, declarations=declarations)
    except BadInput as error:
        refused = error
    places = refused.errors or ()
    assert places
    orjson.dumps([refused.detail, [(place.loc, place.msg, place.type) for place in places]])
    assert all(place.loc[0] in ("config", "declarations") for place in places)
    return refused


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "declarations": st.dictionaries(KEYS, TREES, max_size=4),
        **dict.fromkeys(("environment", "build", "tags", "termination", "logging"), TREES),
    },
)


@settings(max_examples=300)
@given(TREES)
def test_any_value(config: object) -> None:
    outcome(config)


@settings(max_examples=300)
@given(SECTIONS, st.none() | st.dictionaries(KEYS | TEXTS, TREES, max_size=3))
def test_any_sections(sections: dict[str, object], declarations: dict[str, Any] | None) -> None:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": "true"}, **sections}
    rendered = outcome(config, declarations)
    if isinstance(rendered, RenderedSpec):
        orjson.dumps([rendered.declarations, rendered.resources])
        assert outcome(config, declarations) == rendered


@settings(max_examples=300)
@given(st.text(max_size=80) | st.text(st.sampled_from("ab{}%#|: \n-[],'\"&*!"), max_size=80))
def test_any_text(text: str) -> None:
    outcome(text)
    outcome({"version": 1, "kind": "experiment", "run": {"cmd": text}, "declarations": {"a": 1, "b": text}})
