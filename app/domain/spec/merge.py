"""How what restart, resume and copy send goes over what the original has."""

from collections.abc import Mapping


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
