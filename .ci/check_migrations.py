"""Brings an empty database up, compares it with the tables in the code, and takes it down again."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg

from app.embedded.postgres import EmbeddedPostgres

ALEMBIC = Path(sys.executable).with_name("alembic")
LEFT = """
SELECT string_agg(relname, ', ') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
"""


async def left_in(url: str) -> str | None:
    """The names of tables, indexes and sequences that are there."""
    connection = await asyncpg.connect(url)
    try:
        names: str | None = await connection.fetchval(LEFT)
        return names
    finally:
        await connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bunsen-migrations-") as folder:
        Path(folder).chmod(0o711)  # Postgres' user passes through it
        server = EmbeddedPostgres(Path(folder), durable=False)
        server.start()
        server.wait_ready(60)
        environment = os.environ | {"DATABASE_URL": server.url}
        try:
            for step in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
                subprocess.run([ALEMBIC, *step], env=environment, check=True)
            if left := asyncio.run(left_in(server.url)):
                sys.exit(f"The downgrade left behind: {left}")
            subprocess.run([ALEMBIC, "upgrade", "head"], env=environment, check=True)
        finally:
            server.stop()


main()
