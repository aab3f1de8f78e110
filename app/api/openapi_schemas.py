"""Schemas put right where generators stumble over what FastAPI and pydantic write."""

import re
from typing import Any

Schema = dict[str, Any]

_SAID = frozenset({"title", "description", "examples"})
_NULL = {"type": "null"}


def strip_titles(node: Any) -> None:
    """Take off the titles that are only the key once more: some generators make names of them."""
    if isinstance(node, list):
        for item in node:
            strip_titles(item)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key in {"example", "examples", "default", "enum", "const"}:
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


def strip_null(schema: Schema) -> None:
    """Of a parameter or a body: null can't be sent there, what is not required is left out."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != _NULL]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update(choices[0])
    elif choices:
        schema["anyOf"] = choices
