"""Queries on users."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, Experiment, Project, Token, User

_COLUMNS = (User.id, User.username, User.email, User.is_superuser, User.is_active, User.created_at)


async def find(session: AsyncSession, username: str) -> AnyRow | None:
    """A user: id, username, email, is_superuser, is_active, created_at, password_hash."""
    query = select(*_COLUMNS, User.password_hash).where(User.username == username)
    return (await session.execute(query)).one_or_none()


async def list_all(session: AsyncSession) -> Sequence[AnyRow]:
    """Every user by name: id, username, email, is_superuser, is_active, created_at."""
    return (await session.execute(select(*_COLUMNS).order_by(User.username))).all()


async def find_first(session: AsyncSession) -> AnyRow | None:
    """The oldest active superuser: id, username."""
    query = select(User.id, User.username).where(User.is_superuser, User.is_active).order_by(User.id).limit(1)
    return (await session.execute(query)).one_or_none()


async def any_there(session: AsyncSession) -> bool:
    """Whether there is a user at all."""
    return bool((await session.execute(select(exists(select(User.id))))).scalar_one())


async def add(
    session: AsyncSession, *, username: str, email: str, password_hash: str | None, is_superuser: bool
) -> int | None:
    """Store a user; gives its id, or None when the name is taken."""
    statement = (
        insert(User)
        .values(username=username, email=email, password_hash=password_hash, is_superuser=is_superuser)
        .on_conflict_do_nothing(index_elements=[User.username])
        .returning(User.id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def change(session: AsyncSession, username: str, **values: object) -> AnyRow | None:
    """Set columns of a user; gives id, username, email, is_superuser, or None when there is none."""
    statement = (
        update(User)
        .where(User.username == username)
        .values(**values)
        .returning(User.id, User.username, User.email, User.is_superuser)
    )
    return (await session.execute(statement)).one_or_none()


async def lock_superusers(session: AsyncSession) -> set[int]:
    """The ids of the active superusers, none of whom can be changed by others until the commit."""
    query = select(User.id).where(User.is_superuser, User.is_active).order_by(User.id).with_for_update()
    return set((await session.execute(query)).scalars())


async def token_hashes(session: AsyncSession, user_id: int) -> Sequence[bytes]:
    """The hashes of all tokens that stand for a user."""
    return (await session.execute(select(Token.hash).where(Token.user_id == user_id))).scalars().all()


async def holdings(session: AsyncSession, user_id: int) -> AnyRow:
    """What names a user, so that it can't go: `projects`, `leaving` (projects that are being removed),
    `runs` (experiments and builds that it made in others' projects)."""
    projects = select(func.count()).where(Project.owner_id == user_id).select_from(Project)
    made = exists().where(Experiment.user_id == user_id), exists().where(Build.user_id == user_id)
    query = select(
        projects.where(Project.deleted_at.is_(None)).scalar_subquery().label("projects"),
        projects.where(Project.deleted_at.is_not(None)).scalar_subquery().label("leaving"),
        (made[0] | made[1]).label("runs"),
    ).select_from(select(literal(1)).subquery())
    return (await session.execute(query)).one()


async def remove(session: AsyncSession, user_id: int) -> None:
    """Delete a user; its tokens, bookmarks and idempotency keys go with it."""
    await session.execute(delete(User).where(User.id == user_id))
