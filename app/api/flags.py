"""Flags among the parameters of a request: true, false, 1 or 0, and nothing else."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_FLAGS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}


def _read_flag(value: object) -> object:
    if isinstance(value, str) and value not in _FLAGS:
        raise PydanticCustomError("bool_parsing", "Must be true, false, 1 or 0.")
    return _FLAGS[value] if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_read_flag)]
