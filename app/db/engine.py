"""The engine and its sessions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.db.notify import Notifier
from app.db.urls import async_url

Sessions = async_sessionmaker[AsyncSession]


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def create_engine(
    url: str, *, pool: int = 10, timeout: float = 10.0, patience: float = 60.0, name: str = "bunsen"
) -> AsyncEngine:
    """An engine with at most `pool` connections; `timeout` seconds to get one or to connect, `patience`
    seconds for a statement: a server may hang and say nothing, and then a statement raises TimeoutError.

    Times are UTC whatever the server's zone; the compiler of plans to machine code is off, since it costs
    more than our short queries.
    """
    address = async_url(url)
    dsn = address.set(drivername="postgresql").render_as_string(hide_password=False)

    async def connect() -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                dsn,
                timeout=timeout,
                command_timeout=patience,
                server_settings={"application_name": name, "timezone": "UTC", "jit": "off"},
            )
        except (
            OSError
        ) as error:  # no socket, refused, timed out: whoever asks can tell it from a file's error
            raise ConnectionRefusedError("Postgres can't be reached") from error

    return create_async_engine(
        address,
        async_creator=connect,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=timeout,
        pool_pre_ping=False,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
    )


def create_sessions(engine: AsyncEngine, notifier: Notifier) -> Sessions:
    """Sessions whose objects stay readable after the commit, and whose announcements the notifier sends."""
    return async_sessionmaker(engine, expire_on_commit=False, sync_session_class=notifier.session_class)


@asynccontextmanager
async def transaction(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One session in one transaction: committed at the end, rolled back by an exception."""
    async with sessions() as session, session.begin():
        yield session
