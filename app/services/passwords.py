"""Passwords: hashed and checked by argon2, in a thread, two at once."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.domain.plain_json import require_text
from app.errors import Unavailable

T = TypeVar("T")

MAX_PASSWORD = 1024  # characters
MAX_WAITING = 100

# OWASP's parameters for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Two threads, so two at once whatever comes in.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_waiting = 0


def new_password() -> str:
    """A random password of 120 bits."""
    return secrets.token_urlsafe(15)


async def hash_password(password: str) -> str:
    """Argon2's hash with its parameters. Never awaited while a session is open.

    Raises BadInput for a text that can't be a password, Unavailable when too many wait.
    """
    require_text(password, ("password",), max_length=MAX_PASSWORD, min_length=1)
    return await _in_thread(_hasher.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether this is the password. None (no such user, or none set) is False after the same time.

    Never awaited while a session is open. Raises Unavailable when too many wait.
    """
    matches = await _in_thread(_matches, password_hash, password)
    return matches and password_hash is not None


@cache
def _nobodys_hash() -> str:
    """Made when it is first needed, for it takes what a check takes."""
    return _hasher.hash(secrets.token_hex(16))


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        return _hasher.verify(password_hash or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False


async def _in_thread(work: Callable[..., T], *arguments: str | None) -> T:
    global _waiting
    if _waiting >= MAX_WAITING:
        raise Unavailable("Too many passwords wait to be checked; try again.", retry_after=2)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work, *arguments)
    finally:
        _waiting -= 1
