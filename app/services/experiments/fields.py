"""What people say of an experiment: name, description, tags, declarations, each within its limits."""

from collections.abc import Sequence
from typing import Any

from app.domain.names import MAX_LONG_TEXT, MAX_NAME, MAX_TAG, MAX_TAGS, is_name
from app.domain.plain_json import JsonLimits, check_json, check_text, refuse
from app.errors import Place

DECLARATIONS = JsonLimits(depth=32, values=50_000, text=MAX_LONG_TEXT, key=256)


def check_fields(
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    declarations: dict[str, Any] | None = None,
) -> None:
    """Raise BadInput naming each place that breaks a rule."""
    places: list[Place] = []
    if name is not None:
        places += check_name(name, ("name",))
    if description is not None:
        places += check_text(description, ("description",), max_length=MAX_LONG_TEXT)
    if tags is not None:
        places += check_tags(tags)
    if declarations is not None:
        places += check_json(declarations, ("declarations",), DECLARATIONS)
    refuse(places)


def check_name(name: str, loc: tuple[str | int, ...]) -> list[Place]:
    """Letters, digits, `-` and `_`, at most 128 of them."""
    if is_name(name):
        return []
    return [Place(loc, f"must be 1 to {MAX_NAME} letters, digits, `-` and `_`", "string_pattern_mismatch")]


def check_tags(tags: Sequence[str]) -> list[Place]:
    """At most 100 tags of 1 to 128 characters."""
    places: list[Place] = []
    if len(tags) > MAX_TAGS:
        places.append(Place(("tags",), f"holds more than {MAX_TAGS} tags", "too_many"))
    for index, tag in enumerate(tags[:MAX_TAGS]):
        places += check_text(tag, ("tags", index), max_length=MAX_TAG, min_length=1)
    return places


def joined(*lists: Sequence[str] | None) -> list[str] | None:
    """Tags of several sources, each once, in order; None when there are none."""
    tags = list(dict.fromkeys(tag for some in lists for tag in some or ()))
    return tags or None
