"""Tickets: what a browser sends where it can't send a header; each opens one path and dies with its token."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import tickets as db
from app.errors import NotAuthenticated
from app.services.access import Caller
from app.services.tokens import hash_token

_BYTES = 20  # 160 random bits, 40 hex digits


class TicketKind(StrEnum):
    """What a ticket is for, and how it is good."""

    LOG = "log"  # a log stream; for reconnects, too
    TENSORBOARD = "tensorboard"  # a TensorBoard's page, once
    COOKIE = "cookie"  # all below a TensorBoard's path


LIFETIMES = {
    TicketKind.LOG: timedelta(hours=12),
    TicketKind.TENSORBOARD: timedelta(seconds=60),
    TicketKind.COOKIE: timedelta(hours=12),
}


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket as it is shown, this once."""

    ticket: str
    expires_at: datetime


async def create_ticket(
    session: AsyncSession, caller: Caller, kind: TicketKind, path: str, experiment_id: int
) -> NewTicket:
    """A ticket for a path below an experiment that the caller may see."""
    await db.remove_expired(session)
    ticket = secrets.token_hex(_BYTES)
    expires_at = datetime.now(UTC) + LIFETIMES[kind]
    await db.add(
        session,
        ticket_hash=hash_token(ticket),
        kind=kind.value,
        path=path,
        token_id=caller.token_id,
        experiment_id=experiment_id,
        expires_at=expires_at,
    )
    return NewTicket(ticket, expires_at)


async def open_ticket(session: AsyncSession, kind: TicketKind, ticket: str, path: str) -> Caller:
    """Who made the ticket, if it opens this path: the very one, for a cookie all below it.

    Raises NotAuthenticated.
    """
    row = await db.find(session, hash_token(ticket), kind.value)
    if row is None or not _opens(kind, row.path, path):
        raise NotAuthenticated("This ticket is not valid here.")
    return Caller(
        user_id=row.user_id,
        username=row.username,
        email=row.email,
        is_superuser=row.is_superuser,
        token_id=row.token_id,
        token_hash=row.token_hash,
        experiment_id=row.token_experiment_id,
    )


def _opens(kind: TicketKind, its: str, path: str) -> bool:
    if kind is TicketKind.COOKIE:
        return path == its or path.startswith(its.rstrip("/") + "/")
    return path == its


async def use_ticket(session: AsyncSession, kind: TicketKind, ticket: str, path: str) -> Caller:
    """Like `open_ticket`, and the ticket is used up: who comes second gets NotAuthenticated, too."""
    caller = await open_ticket(session, kind, ticket, path)
    if not await db.use(session, hash_token(ticket), kind.value):
        raise NotAuthenticated("This ticket is not valid here.")
    return caller
