"""Users: made, listed, changed, deleted."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import tokens as db_tokens
from app.db import users as db
from app.db.notify import Channel, announce
from app.db.rows import AnyRow
from app.domain.names import check_username
from app.domain.plain_json import refuse, require_text, show
from app.errors import Conflict, Forbidden, NotFound, Place
from app.services.access import Caller

MAX_EMAIL = 254  # RFC 5321's longest path, without its brackets
LOGIN_TOKEN = "login"  # noqa: S105  (the name of tokens that a password got)


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A user as others may know it."""

    id: int
    username: str
    email: str
    is_superuser: bool


@dataclass(frozen=True, slots=True)
class ListedUser(UserInfo):
    """A user as superusers list it."""

    is_active: bool
    created_at: datetime


def require_superuser(caller: Caller) -> None:
    """Raises Forbidden for anyone else."""
    if caller.is_job or not caller.is_superuser:
        raise Forbidden("Only superusers can do this.")


def local_email(username: str) -> str:
    """The address of a user who named none: clients of the document's day refuse what is no address."""
    return f"{username}@localhost"


async def create_user(
    session: AsyncSession,
    username: str,
    password_hash: str | None,
    *,
    email: str = "",
    is_superuser: bool = False,
) -> UserInfo:
    """A new user (`password_hash` is `hash_password`'s; None: it can't log in by password).

    Raises BadInput for a name that can't be one or is taken.
    """
    check_username(username)
    email = email or local_email(username)
    require_text(email, ("email",), max_length=MAX_EMAIL)
    user_id = await db.add(
        session, username=username, email=email, password_hash=password_hash, is_superuser=is_superuser
    )
    if user_id is None:
        refuse([Place(("username",), f"The name {username} is taken", "taken")])
    assert user_id is not None
    return UserInfo(user_id, username, email, is_superuser)


async def list_users(session: AsyncSession) -> list[ListedUser]:
    """Every user, by name."""
    return [
        ListedUser(row.id, row.username, row.email, row.is_superuser, row.is_active, row.created_at)
        for row in await db.list_all(session)
    ]


async def set_password(session: AsyncSession, username: str, password_hash: str) -> None:
    """Another password; the tokens that logins with the old one got die. Raises NotFound."""
    row = _there(await db.change(session, username, password_hash=password_hash), username)
    for dead in await db_tokens.remove_named(session, row.id, LOGIN_TOKEN):
        announce(session, Channel.TOKEN, dead.hex())


async def activate_user(session: AsyncSession, caller: Caller, username: str) -> UserInfo:
    """Let a user in, from now on. Superusers only. Raises Forbidden, NotFound."""
    await _lock_superusers(session, caller)
    return _info(_there(await db.change(session, username, is_active=True), username))


async def grant_superuser(session: AsyncSession, caller: Caller, username: str) -> UserInfo:
    """Make a user a superuser. Superusers only. Raises Forbidden, NotFound."""
    await _lock_superusers(session, caller)
    row = _there(await db.change(session, username, is_superuser=True), username)
    await _forget_callers(session, row.id)
    return _info(row)


async def revoke_superuser(session: AsyncSession, caller: Caller, username: str) -> UserInfo:
    """Make a superuser a plain user. Superusers only. Raises Forbidden, NotFound, Conflict for the last."""
    superusers = await _lock_superusers(session, caller)
    user = _there(await db.find(session, username), username)
    if superusers == {user.id}:
        raise Conflict(f"{username} is the last superuser and stays one.", code="last_superuser")
    row = _there(await db.change(session, username, is_superuser=False), username)
    await _forget_callers(session, row.id)
    return _info(row)


async def delete_user(session: AsyncSession, caller: Caller, username: str) -> None:
    """Delete a user with its tokens and bookmarks. Superusers only.

    Raises Forbidden, NotFound; Conflict for the last superuser and for one that still owns projects or made
    experiments in the projects of others.
    """
    superusers = await _lock_superusers(session, caller)
    user = _there(await db.find(session, username), username)
    if superusers == {user.id}:
        raise Conflict(f"{username} is the last superuser and stays.", code="last_superuser")
    _require_nothing_left(username, await db.holdings(session, user.id))
    await _forget_callers(session, user.id)
    try:
        await db.remove(session, user.id)
    except IntegrityError:  # a project of it was made meanwhile
        raise Conflict(f"{username} owns projects; delete them first.", code="owns_projects") from None


def _require_nothing_left(username: str, holdings: AnyRow) -> None:
    if holdings.projects:
        projects = "a project" if holdings.projects == 1 else f"{holdings.projects} projects"
        raise Conflict(f"{username} owns {projects}; delete what it owns first.", code="owns_projects")
    if holdings.leaving:
        raise Conflict(
            f"Projects of {username} are still being removed; try again in a moment.", code="owns_projects"
        )
    if holdings.runs:
        raise Conflict(
            f"{username} made experiments in the projects of others; delete those first.",
            code="made_experiments",
        )


async def _lock_superusers(session: AsyncSession, caller: Caller) -> set[int]:
    """Who the superusers are until the commit, the caller among them (it may have been revoked just now)."""
    require_superuser(caller)
    superusers = await db.lock_superusers(session)
    if caller.user_id not in superusers:
        require_superuser(replace(caller, is_superuser=False))
    return superusers


async def _forget_callers(session: AsyncSession, user_id: int) -> None:
    """Every process looks again who the tokens of a user stand for."""
    for token_hash in await db.token_hashes(session, user_id):
        announce(session, Channel.TOKEN, token_hash.hex())


def _there(row: AnyRow | None, username: str) -> AnyRow:
    if row is None:
        raise NotFound(f"There is no user {show(username)}.")
    return row


def _info(row: AnyRow) -> UserInfo:
    return UserInfo(row.id, row.username, row.email, row.is_superuser)
