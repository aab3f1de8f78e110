"""The user that the service begins with, and its token."""

from dataclasses import dataclass

from app.db import users as db
from app.db.engine import Sessions, transaction
from app.errors import Conflict
from app.services.passwords import hash_password, new_password
from app.services.tokens import create_token, find_caller, hash_token
from app.services.users import local_email

ROOT = "root"


@dataclass(frozen=True, slots=True)
class FirstUser:
    """`password` only when it was made up just now: it is shown this once."""

    username: str
    password: str | None
    token: str


async def ensure_root(
    sessions: Sessions, password: str | None = None, *, known_token: str | None = None
) -> FirstUser:
    """The first superuser, made as `root` where there is no user at all, with a token.

    `password` is the setting's; without it one is made up. `known_token` (the file's) is kept while it is
    good, else a new one is made. It opens transactions of its own, since hashing must hold none.
    Raises Conflict where there are users but no superuser is left.
    """
    made_up = await make_root(sessions, password)
    async with transaction(sessions) as session:
        first = await db.find_first(session)
        if first is None:
            raise Conflict("There are users, but none of them is a superuser.")
        caller = await find_caller(session, hash_token(known_token)) if known_token else None
        good = caller is not None and caller.user_id == first.id and not caller.is_job
        token = known_token if good and known_token else await create_token(session, first.id, name="up")
    return FirstUser(first.username, made_up, token)


async def make_root(sessions: Sessions, password: str | None) -> str | None:
    """Make `root` where there is no user at all; gives the password if it was made up and is root's now."""
    async with transaction(sessions) as session:
        if await db.any_there(session):
            return None
    made_up = None if password else new_password()
    password_hash = await hash_password(password or made_up or "")
    async with transaction(sessions) as session:
        user_id = await db.add(
            session, username=ROOT, email=local_email(ROOT), password_hash=password_hash, is_superuser=True
        )
    return made_up if user_id is not None else None
