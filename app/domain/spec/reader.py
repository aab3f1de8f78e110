"""Reads what `config` holds, an object or a text of YAML or JSON, into the plain JSON object that is kept."""

import json
from collections import Counter

from app.domain.plain_json import JsonLimits, check_text, describe, refuse, require_json, show
from app.domain.spec.yaml_text import MAX_DEPTH, read_yaml
from app.errors import BadInput, Location, Place

MAX_SPEC = 1024 * 1024  # bytes of text
LIMITS = JsonLimits(depth=MAX_DEPTH, values=50_000, text=MAX_SPEC, key=256)
CONFIG: Location = ("config",)


def read_spec(config: object, *, loc: Location = CONFIG) -> dict[str, object]:
    """The spec as a plain JSON object, unrendered, as it is kept and answered.

    `config` is a parsed JSON object, or a string that holds JSON or YAML, at most `MAX_SPEC` bytes. A text
    of many values costs up to a second: read those above some 32 KiB in a thread. Raises BadInput with the
    place of each mistake; says nothing about the keys, which is `render_spec`'s part.
    """
    parsed = _read_text(config, loc) if isinstance(config, str) else config
    if parsed is None and isinstance(config, str):
        raise _bad(
            loc, "is a text without a spec in it; leave `config` out where there is none", "type_error"
        )
    if not isinstance(parsed, dict):
        raise _bad(loc, "must be an object: the spec, or a text that holds it as YAML or JSON", "type_error")
    require_json(parsed, loc, LIMITS)
    if not isinstance(config, str) and len(json.dumps(parsed, ensure_ascii=False).encode()) > MAX_SPEC:
        raise _bad(loc, f"is too large: {MAX_SPEC} bytes are the limit", "too_large")
    return parsed


def _read_text(text: str, loc: Location) -> object:
    refuse(check_text(text, loc, max_length=MAX_SPEC))
    if len(text.encode()) > MAX_SPEC:
        raise _bad(loc, f"is too large: {MAX_SPEC} bytes are the limit", "too_large")
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] == "{":
        try:
            return _read_json(text, loc)
        except (ValueError, RecursionError):
            pass  # not JSON: YAML may begin with { too, and its reader says what is wrong where
    return read_yaml(text, loc)


def _read_json(text: str, loc: Location) -> object:
    """As `json.loads` reads it, but a key twice is an error. Raises ValueError for what is not JSON."""
    repeated: dict[int, str] = {}
    kept: list[dict[str, object]] = []  # keeps the objects alive, so that an id stays theirs

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated[id(built)] = counts.most_common(1)[0][0]
            kept.append(built)
        return built

    value: object = json.loads(text, object_pairs_hook=build)
    refuse(_repeated_places(value, loc, repeated) if repeated else [])
    return value


def _repeated_places(value: object, loc: Location, repeated: dict[int, str]) -> list[Place]:
    """Where the objects with a repeated key stand, but for those that a repeated key above them replaced."""
    places: list[Place] = []
    stack: list[tuple[object, Location]] = [(value, loc)]
    while stack:
        item, at = stack.pop()
        if isinstance(item, dict):
            if (key := repeated.get(id(item))) is not None:
                where = (*at, show_key(key))
                places.append(Place(where, f"the key {show(key)} is there twice", "duplicate_key"))
            stack.extend((child, (*at, show_key(name))) for name, child in item.items())
        elif isinstance(item, list):
            stack.extend((child, (*at, index)) for index, child in enumerate(item))
    return places[:100]


def show_key(key: str) -> str:
    """A key as part of a place: as it is, or escaped where it could not be sent."""
    return key if not check_text(key, (), max_length=256) else show(key)


def _bad(loc: Location, msg: str, kind: str) -> BadInput:
    place = Place(loc, msg, kind)
    return BadInput(describe([place]), errors=[place])
