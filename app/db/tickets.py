"""Queries on tickets."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Ticket, Token, User


async def add(
    session: AsyncSession,
    *,
    ticket_hash: bytes,
    kind: str,
    path: str,
    token_id: int,
    experiment_id: int,
    expires_at: datetime,
) -> None:
    """Store a ticket's hash."""
    await session.execute(
        insert(Ticket).values(
            hash=ticket_hash,
            kind=kind,
            path=path,
            token_id=token_id,
            experiment_id=experiment_id,
            expires_at=expires_at,
        )
    )


def _is_good(ticket_hash: bytes, kind: str) -> list[ColumnElement[bool]]:
    return [
        Ticket.hash == ticket_hash,
        Ticket.kind == kind,
        Ticket.expires_at > func.now(),
        Ticket.used_at.is_(None),
    ]


async def find(session: AsyncSession, ticket_hash: bytes, kind: str) -> AnyRow | None:
    """A ticket that is good, and whose token is: path, experiment_id; of the token token_id, token_hash,
    token_experiment_id; user_id, username, email, is_superuser."""
    query = (
        select(
            Ticket.path,
            Ticket.experiment_id,
            Token.id.label("token_id"),
            Token.hash.label("token_hash"),
            Token.experiment_id.label("token_experiment_id"),
            User.id.label("user_id"),
            User.username,
            User.email,
            User.is_superuser,
        )
        .join(Token, Token.id == Ticket.token_id)
        .join(User, User.id == Token.user_id)
        .where(
            *_is_good(ticket_hash, kind),
            User.is_active,
            or_(Token.expires_at.is_(None), Token.expires_at > func.now()),
        )
    )
    return (await session.execute(query)).one_or_none()


async def use(session: AsyncSession, ticket_hash: bytes, kind: str) -> bool:
    """Close a ticket of one use; False when another was first."""
    statement = (
        update(Ticket)
        .where(*_is_good(ticket_hash, kind))
        .values(used_at=func.clock_timestamp())
        .returning(Ticket.hash)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def remove_expired(session: AsyncSession) -> None:
    """Delete the tickets that open nothing any more."""
    await session.execute(delete(Ticket).where(Ticket.expires_at < func.now()))
