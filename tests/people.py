"""People for tests: a user, its token, and a client that sends it."""

from dataclasses import dataclass

import httpx
from sqlalchemy import insert

from app.db.engine import Sessions, transaction
from app.db.tables import User
from app.services.tokens import create_token


@dataclass(frozen=True)
class Person:
    """A user and an HTTP client that is logged in as it, below `/api/v1`."""

    id: int
    username: str
    token: str
    http: httpx.AsyncClient


async def add_person(
    sessions: Sessions, client: httpx.AsyncClient, username: str, *, is_superuser: bool = False
) -> Person:
    """Store a user with a token."""
    async with transaction(sessions) as session:
        row = await session.execute(
            insert(User)
            .values(username=username, email=f"{username}@example.org", is_superuser=is_superuser)
            .returning(User.id)
        )
        user_id = row.scalar_one()
        token = await create_token(session, user_id)
    http = httpx.AsyncClient(
        transport=client._transport,
        base_url=f"{client.base_url}/api/v1",
        headers={"Authorization": f"token {token}"},
    )
    return Person(user_id, username, token, http)
