"""What a driver's error means: the server is away, its disk is full, its schema is another release's."""

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

AWAY = ("08", "53", "57P")
"""SQLSTATE classes of a server that is gone, full, or going down or coming up."""
FULL = "53100"
OTHER_SCHEMA = ("42P01", "42703")
"""SQLSTATEs of a table or column that isn't there: the database was not migrated, or by another release."""


def is_away(error: BaseException) -> bool:
    """Whether it says that the server, not the statement, is the trouble."""
    if isinstance(error, DBAPIError):
        away = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
        return away or (error.orig is not None and is_away(error.orig))
    return isinstance(error, asyncpg.InterfaceError) or _state(error).startswith(AWAY)


def is_full(error: BaseException) -> bool:
    """Whether it says that the server's disk is full."""
    if isinstance(error, DBAPIError):
        return error.orig is not None and is_full(error.orig)
    return _state(error) == FULL


def is_other_schema(error: BaseException) -> bool:
    """Whether it says that the schema is not this release's."""
    if isinstance(error, DBAPIError):
        return error.orig is not None and is_other_schema(error.orig)
    return _state(error) in OTHER_SCHEMA


def reason(error: BaseException) -> str:
    """A few words for a log: why the database, or a file, can't be used now."""
    if is_full(error):
        return "the database has no space left on its disk"
    words = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or "")
