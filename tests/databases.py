"""Databases for tests: one migrated template a run, a copy of it a worker, emptied between tests."""

import asyncio
from contextlib import suppress

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.db.migrations import upgrade
from app.db.tables import Base, SchemaSupport

TEMPLATE = "bunsen_template"


def on_server(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def _execute(url: str, *statements: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def make_template(url: str) -> None:
    """Create and migrate the template database."""

    async def make() -> None:
        await _execute(url, f'CREATE DATABASE "{TEMPLATE}"')
        engine = create_engine(on_server(url, TEMPLATE))
        await upgrade(engine)
        await engine.dispose()

    asyncio.run(make())


def copy_template(url: str, name: str) -> str:
    """A new database made from the template; gives its URL. Copies wait for one another."""

    async def copy() -> None:
        for _ in range(100):
            with suppress(asyncpg.ObjectInUseError):
                await _execute(url, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
                return
            await asyncio.sleep(0.1)
        raise TimeoutError("the template database stays in use")

    asyncio.run(copy())
    return on_server(url, name)


def drop_database(server: str, url: str) -> None:
    asyncio.run(_execute(server, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)'))


async def empty_database(engine: AsyncEngine) -> None:
    """Delete every row but what migrations wrote; ids go on, so that a test can't rely on them. Rows are few:
    faster than TRUNCATE."""
    names = [table.name for table in reversed(Base.metadata.sorted_tables)]
    names.remove(SchemaSupport.__tablename__)
    await _execute(
        engine.url.render_as_string(hide_password=False),
        "UPDATE projects SET code_id = NULL",  # projects and archives name each other
        "; ".join(f'DELETE FROM "{name}"' for name in names),
    )
