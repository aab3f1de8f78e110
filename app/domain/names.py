"""What users, projects and experiments can be called."""

import re

from app.domain.plain_json import refuse
from app.errors import Location, Place

NAME_PATTERN = "^[-a-zA-Z0-9_]+$"
MAX_NAME = 128
MAX_TAGS = 100
MAX_TAG = 128
MAX_LONG_TEXT = 64 * 1024

RESERVED_USERNAMES = frozenset(
    {"users", "projects", "experiments", "bookmarks", "versions", "log_handler", "superusers"}
)
"""First parts of the API's own paths."""

_NAME = re.compile("[-a-zA-Z0-9_]+")


def is_name(text: str) -> bool:
    """Whether something can be called so at all."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def check_username(username: str, loc: Location = ("username",)) -> None:
    """Raises BadInput for what can't be a username."""
    if not is_name(username):
        message = f"must be 1 to {MAX_NAME} letters, digits, `-` and `_`"
        refuse([Place(loc, message, "string_pattern_mismatch")])
    if username in RESERVED_USERNAMES:
        refuse([Place(loc, f"{username} is a word of the API's own paths", "reserved")])
