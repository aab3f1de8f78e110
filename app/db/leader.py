"""One leader among reconcilers: an advisory lock on a connection of its own."""

import contextlib
from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_LOCK = 0x62756E73656E01  # "bunsen", 1


async def _try(connection: AsyncConnection) -> bool:
    query = text("SELECT pg_try_advisory_lock(:key)")
    return bool((await connection.execute(query, {"key": _LOCK})).scalar_one())


@contextlib.asynccontextmanager
async def leadership(engine: AsyncEngine) -> AsyncIterator[AsyncConnection | None]:
    """The connection that holds the lock, or None when another leads. The lock goes with the connection."""
    connection = await engine.connect()
    try:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        yield connection if await _try(connection) else None
    finally:
        # Closed for good, not given back: a pooled connection would keep the lock.
        await connection.invalidate()
        await connection.close()


async def still_leads(connection: AsyncConnection) -> bool:
    """Whether the connection, and so the lock, is still there; also a sign of life for others to see."""
    try:
        await connection.execute(
            text(
                "INSERT INTO heartbeats (name) VALUES ('reconciler') "
                "ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp()"
            )
        )
    except Exception:
        return False
    return True
