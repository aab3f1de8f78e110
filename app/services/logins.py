"""Logging in: a password for a token, a few tries a minute for a user and address."""

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from app.db import login_tries as db
from app.db import users as db_users
from app.db.engine import Sessions, transaction
from app.domain.names import is_name
from app.errors import NotAuthenticated, TooManyRequests
from app.services.passwords import verify_password
from app.services.tokens import create_token
from app.services.users import LOGIN_TOKEN


@dataclass(frozen=True, slots=True)
class LoginLimit:
    """At most `tries` in `window` seconds."""

    tries: int
    window: float


async def log_in(sessions: Sessions, username: str, password: str, address: str, limit: LoginLimit) -> str:
    """A new token for the right password.

    Tries are counted in the database, so that all processes share the count; a right password clears it.
    A user that there is none of takes as long as one that there is. It opens transactions of its own, since
    none may be held while argon2 works. Raises NotAuthenticated, TooManyRequests, Unavailable.
    """
    key = hashlib.sha256(f"{username}\n{address}".encode(errors="surrogatepass")).digest()
    window = timedelta(seconds=limit.window)
    async with transaction(sessions) as session:
        tries, since, now = await db.count(session, key, window)
        user = await db_users.find(session, username) if is_name(username) else None
        await db.sweep(session, window)
    if tries > limit.tries:
        wait = max(1, math.ceil((since + window - now).total_seconds()))
        raise TooManyRequests(f"Too many tries to log in; come again in {wait} s.", retry_after=wait)
    right = await verify_password(user.password_hash if user else None, password)
    if user is None or not right:
        raise NotAuthenticated("Wrong username or password.", code="wrong_password")
    if not user.is_active:
        raise NotAuthenticated("This user waits to be activated by a superuser.", code="inactive")
    try:
        async with transaction(sessions) as session:
            await db.forget(session, key)
            return await create_token(session, user.id, name=LOGIN_TOKEN)
    except IntegrityError:  # the user was deleted just now
        raise NotAuthenticated("Wrong username or password.", code="wrong_password") from None
