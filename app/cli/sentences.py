"""Errors that a person at a terminal can act on, each as one sentence."""

import re

from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.embedded.errors import CannotStart
from app.errors import AppError

_NOT_JSON = re.compile(r'error parsing value for field "(\w+)"')
SENTENCES = (CannotStart, AppError, ValidationError, SettingsError)


def sentence(error: Exception) -> str:
    """What to print of it."""
    if isinstance(error, AppError):
        more = (place.msg.removesuffix(".") for place in error.errors or ())
        return error.detail + "".join(f" {words}." for words in more if words not in error.detail)
    if isinstance(error, ValidationError):
        mistakes = (
            f"{_variable(mistake['loc'])}: {mistake['msg'].removeprefix('Value error, ')}"
            for mistake in error.errors()
        )
        return f"A setting is wrong: {'; '.join(mistakes)}."
    field = _NOT_JSON.match(str(error)) if isinstance(error, SettingsError) else None
    if field is not None:
        return f"A setting is wrong: {_variable((field[1],))}: it is a JSON object of texts."
    return str(error)


def _variable(place: tuple[int | str, ...]) -> str:
    first, *rest = (str(part) for part in place)
    name = first if first == "DATABASE_URL" else f"BUNSEN_{first.upper()}"
    return ".".join([name, *rest])
