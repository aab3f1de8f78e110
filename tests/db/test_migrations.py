"""Every migration says from which release on its schema can be used (`design.md`: expand, then contract)."""

import asyncpg
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from app.db.migrations import alembic_config, known_revisions


async def test_each_revision_says_the_oldest_release_that_runs_on_it(database_url: str) -> None:
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    scripts = ScriptDirectory.from_config(alembic_config())
    connection = await asyncpg.connect(plain)
    try:
        said = dict(await connection.fetch("SELECT revision, oldest FROM schema_support"))
    finally:
        await connection.close()
    first = scripts.get_base()
    assert set(said) == known_revisions() - {first}
    assert set(said.values()) <= known_revisions()
