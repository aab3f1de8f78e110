"""The errors of the search language: each says at which character of which parameter, and why."""

import re

from app.errors import BadInput, Place

MAX_LENGTH = 16_384
# What counts for nothing around any part.
SPACES = " \t\r\n"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SHOWN = 40


def mistake(parameter: str, position: int, message: str, kind: str) -> BadInput:
    """A 400 on `parameter` ("query" or "sort") at the character `position`, counted from 0."""
    return BadInput(
        f"{parameter} can't be read at position {position}: {message}",
        code=f"invalid_{parameter}",
        errors=[Place((parameter, position), message, kind)],
    )


def shown(text: str) -> str:
    """`text` as an error repeats it: in quotes, not longer than a line needs."""
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'


def check_text(parameter: str, text: str) -> None:
    """Refuse what no stored text can hold or equal, and more than a person writes.

    Raises:
        BadInput: over `MAX_LENGTH` characters, a NUL, or a lone surrogate.
    """
    if len(text) > MAX_LENGTH:
        raise mistake(parameter, MAX_LENGTH, f"longer than {MAX_LENGTH} characters", "too_long")
    found = _UNSTORABLE.search(text)
    if found:
        raise mistake(parameter, found.start(), f"U+{ord(found.group()):04X} is not allowed", "bad_text")
