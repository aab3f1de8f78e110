"""Queries on tokens."""

from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Token, User


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


async def remove_of_experiment(
    session: AsyncSession, experiment_id: int, *, before_attempt: int | None = None
) -> list[bytes]:
    """Delete an experiment's job tokens, all or those of attempts before one; gives their hashes."""
    statement = delete(Token).where(Token.experiment_id == experiment_id)
    if before_attempt is not None:
        statement = statement.where(Token.attempt < before_attempt)
    return list((await session.execute(statement.returning(Token.hash))).scalars())
