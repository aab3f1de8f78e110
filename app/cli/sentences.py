"""Errors that a person at a terminal can act on, each as one sentence."""

from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.embedded.errors import CannotStart
from app.errors import AppError

SENTENCES = (CannotStart, AppError, ValidationError, SettingsError)


def sentence(error: Exception) -> str:
    """What to print of it."""
    if isinstance(error, AppError):
        more = (place.msg.removesuffix(".") for place in error.errors or ())
        return error.detail + "".join(f" {words}." for words in more if words not in error.detail)
    if isinstance(error, ValidationError):
        mistakes = (f"{_variable(mistake['loc'])}: {mistake['msg']}" for mistake in error.errors())
        return f"A setting is wrong: {'; '.join(mistakes)}."
    return str(error)


def _variable(place: tuple[int | str, ...]) -> str:
    first, *rest = (str(part) for part in place)
    name = first if first == "DATABASE_URL" else f"BUNSEN_{first.upper()}"
    return ".".join([name, *rest])
