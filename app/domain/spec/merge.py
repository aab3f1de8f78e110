"""How what restart, resume and copy send goes over what the original has."""

import json
from collections.abc import Mapping

from app.domain.spec.templating import RESERVED


def merge_config(original: Mapping[str, object] | None, patch: Mapping[str, object]) -> dict[str, object]:
    """Objects merge key by key, a list or a scalar replaces, null removes (RFC 7396); neither is changed.

    Recurses as deep as `patch` is nested, which the check of plain JSON bounds.
    """
    merged = dict(original or {})
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge_config(below if isinstance(below, Mapping) else None, value)
        else:
            merged[key] = value
    return merged


def merge_declarations(
    config: dict[str, object] | None, given: Mapping[str, object] | None, patch: Mapping[str, object]
) -> tuple[dict[str, object] | None, dict[str, object]]:
    """The spec, and the declarations given over it, after a patch of the declarations.

    An object merges over what the spec declares by its name, too; null takes the name out of both.
    """
    declared = _declared(config)
    beneath = {name: declared[name] for name in patch if name in declared}
    merged = merge_config({**beneath, **(given or {})}, patch)
    gone = {name for name in beneath if patch[name] is None}
    if config is not None and gone:
        config = {**config, "declarations": {k: v for k, v in declared.items() if k not in gone}}
    return config, merged


def changed_declarations(
    config: Mapping[str, object] | None, given: Mapping[str, object] | None, current: Mapping[str, object]
) -> dict[str, object]:
    """Those of the present declarations that were set after the experiment was made, and can be declared.

    A tracker may set what no spec can declare: reserved names, texts that would be templates. The value of
    a template can't be told from one that was set: it counts as unchanged.
    """
    made = {**_declared(config), **(given or {})}
    changed = {name: value for name, value in current.items() if name not in made or made[name] != value}
    return {
        name: value
        for name, value in changed.items()
        if name not in RESERVED and not _has_template(made.get(name)) and not _has_template(value)
    }


def _declared(config: Mapping[str, object] | None) -> dict[str, object]:
    declared = (config or {}).get("declarations")
    return dict(declared) if isinstance(declared, Mapping) else {}


def _has_template(value: object) -> bool:
    text = json.dumps(value)  # where `{{` stands in texts alone: a key begins with a quote
    return "{{" in text or "{%" in text or "{#" in text
