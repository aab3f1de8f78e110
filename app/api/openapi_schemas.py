"""Schemas put right where generators stumble over what FastAPI and pydantic write."""

import re
from typing import Any

Schema = dict[str, Any]

_SAID = frozenset({"title", "description", "examples"})
_NULL = {"type": "null"}
_QUOTED = frozenset({"example", "examples", "default", "enum", "const"})
_WIDTHS = {"integer": "int64", "number": "double"}


def strip_titles(node: Any) -> None:
    """Take off the titles that are only the key once more: some generators make names of them."""
    if isinstance(node, list):
        for item in node:
            strip_titles(item)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key in _QUOTED:
                continue
            if key == "properties":
                for name, schema in child.items():
                    _strip_title(name, schema)
            elif key == "schema" and "name" in node:
                _strip_title(node["name"], child)
            strip_titles(child)


def _strip_title(name: str, schema: Schema) -> None:
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    if re.sub(r"[^a-z0-9]+", " ", str(schema.get("title", "")).lower()) == words:
        del schema["title"]


def lift(node: Any) -> None:
    """What is said of one choice beside null is said of the whole: a reference with siblings in a union
    breaks two of the generators, and a union in a union is one union."""
    if isinstance(node, list):
        for item in node:
            lift(item)
    elif isinstance(node, dict):
        for child in node.values():
            lift(child)
        choices = node.get("anyOf")
        if isinstance(choices, list):
            for choice in choices:
                for key in sorted(_SAID & choice.keys()):
                    node.setdefault(key, choice.pop(key))
            node["anyOf"] = [part for choice in choices for part in choice.get("anyOf", [choice])]


def name_choices(node: Any) -> None:
    """A union of things that differ is a `oneOf`, which it is: Rust's generator makes nothing of an `anyOf`
    but an empty struct. One with null is left, as what may be null is read from `anyOf`. None names a
    discriminator: that generator's structs then miss the key in what they read."""
    if isinstance(node, list):
        for item in node:
            name_choices(item)
    elif isinstance(node, dict):
        if isinstance(node.get("anyOf"), list) and _NULL not in node["anyOf"]:
            node["oneOf"] = node.pop("anyOf")
        for key, child in node.items():
            if key not in _QUOTED:
                name_choices(child)


def strip_null(schema: Schema) -> None:
    """Of a parameter or a body: null can't be sent there, what is not required is left out."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != _NULL]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update(choices[0])
    elif choices:
        schema["anyOf"] = choices


def put_formats(node: Any) -> None:
    """Say how wide a number is: without a word some generators take 32 bits, which an id, a size or a metric
    does not fit."""
    if isinstance(node, list):
        for item in node:
            put_formats(item)
    elif isinstance(node, dict):
        width = _WIDTHS.get(str(node.get("type")))
        if width is not None:
            node.setdefault("format", width)
            if width == "int64":  # FastAPI makes floats of its bounds
                node.update({key: int(node[key]) for key in ("minimum", "maximum") if key in node})
        for key, child in node.items():
            if key not in _QUOTED:
                put_formats(child)
