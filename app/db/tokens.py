"""Queries on tokens."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, BuildToken, Token, User
from app.domain.lifecycle import DONE

_REMOVE = delete(Token).where(Token.experiment_id == bindparam("of_experiment")).returning(Token.hash)


async def find_by_hash(session: AsyncSession, token_hash: bytes) -> AnyRow | None:
    """The living token of this hash: id, experiment_id; its user_id, username, email, is_superuser."""
    query = (
        select(
            Token.id,
            Token.experiment_id,
            Token.expires_at,
            User.id.label("user_id"),
            User.username,
            User.email,
            User.is_superuser,
        )
        .join(User, User.id == Token.user_id)
        .where(
            Token.hash == token_hash,
            User.is_active,
            or_(Token.expires_at.is_(None), Token.expires_at > func.now()),
        )
    )
    return (await session.execute(query)).one_or_none()


async def find_build_token(session: AsyncSession, token_hash: bytes) -> AnyRow | None:
    """The build, not done yet, whose token has this hash: build_id; its user's user_id, username, email."""
    query = (
        select(BuildToken.build_id, User.id.label("user_id"), User.username, User.email)
        .join(Build, Build.id == BuildToken.build_id)
        .join(User, User.id == Build.user_id)
        .where(
            BuildToken.hash == token_hash,
            User.is_active,
            Build.status.not_in([status.value for status in DONE]),
        )
    )
    return (await session.execute(query)).one_or_none()


async def add_build_token(session: AsyncSession, build_id: int, token_hash: bytes) -> None:
    """Store the hash of a build's token."""
    await session.execute(insert(BuildToken).values(build_id=build_id, hash=token_hash))


async def remove_of_build(session: AsyncSession, build_id: int) -> list[bytes]:
    """Delete a build's tokens; gives their hashes."""
    statement = delete(BuildToken).where(BuildToken.build_id == build_id).returning(BuildToken.hash)
    return list((await session.execute(statement)).scalars())


async def add(
    session: AsyncSession,
    *,
    user_id: int,
    token_hash: bytes,
    name: str | None = None,
    experiment_id: int | None = None,
    attempt: int | None = None,
    expires_at: datetime | None = None,
) -> int:
    """Store a token's hash; gives its id."""
    statement = (
        insert(Token)
        .values(
            user_id=user_id,
            hash=token_hash,
            name=name,
            experiment_id=experiment_id,
            attempt=attempt,
            expires_at=expires_at,
        )
        .returning(Token.id)
    )
    return (await session.execute(statement)).scalar_one()


async def add_of_jobs(
    session: AsyncSession, rows: Sequence[tuple[int, int, int]], hashes: Sequence[bytes]
) -> None:
    """Store the hashes of job tokens, at least one: each of a user, an experiment and its attempt."""
    values = [
        {"user_id": user_id, "experiment_id": experiment_id, "attempt": attempt, "hash": token_hash}
        for (user_id, experiment_id, attempt), token_hash in zip(rows, hashes, strict=True)
    ]
    await session.execute(insert(Token), values)


async def remove_of_experiment(
    session: AsyncSession, experiment_id: int, *, before_attempt: int | None = None
) -> list[bytes]:
    """Delete an experiment's job tokens, all or those of attempts before one; gives their hashes."""
    if before_attempt is None:
        return list((await session.execute(_REMOVE, {"of_experiment": experiment_id})).scalars())
    statement = _REMOVE.where(Token.attempt < before_attempt)
    return list((await session.execute(statement, {"of_experiment": experiment_id})).scalars())


async def list_named(session: AsyncSession, username: str | None = None) -> Sequence[AnyRow]:
    """The tokens of people (no jobs'), of one or of all: id, username, name, created_at, expires_at."""
    query = (
        select(Token.id, User.username, Token.name, Token.created_at, Token.expires_at)
        .join(User, User.id == Token.user_id)
        .where(Token.experiment_id.is_(None))
        .order_by(User.username, Token.id)
    )
    if username is not None:
        query = query.where(User.username == username)
    return (await session.execute(query)).all()


async def remove(session: AsyncSession, token_id: int) -> bytes | None:
    """Delete a token; gives its hash, or None when there is none."""
    statement = delete(Token).where(Token.id == token_id).returning(Token.hash)
    return (await session.execute(statement)).scalar_one_or_none()


async def remove_named(session: AsyncSession, user_id: int, name: str) -> Sequence[bytes]:
    """Delete a user's tokens of one name; gives their hashes."""
    statement = delete(Token).where(Token.user_id == user_id, Token.name == name).returning(Token.hash)
    return (await session.execute(statement)).scalars().all()


async def find_living(session: AsyncSession, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of these hashes that are living tokens'."""
    query = (
        select(Token.hash)
        .join(User, User.id == Token.user_id)
        .where(
            Token.hash.in_(hashes),
            User.is_active,
            or_(Token.expires_at.is_(None), Token.expires_at > func.now()),
        )
    )
    return set((await session.execute(query)).scalars())
