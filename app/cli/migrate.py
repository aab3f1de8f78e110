"""`bunsen migrate`: the database's schema, brought up to this release's."""

from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.cli.database import in_database
from app.cli.options import read_settings, setting_options
from app.db.migrations import current_revision, knows_revision, upgrade, wanted_revision
from app.embedded.errors import CannotStart


async def migrate(engine: AsyncEngine) -> str:
    """Run what is missing, if anything; gives the revision. Raises CannotStart for a newer database."""
    async with AsyncSession(engine) as session:
        revision = await current_revision(session)
    if revision is not None and not knows_revision(revision):
        raise CannotStart(
            f"The database was made by a newer version of Bunsen: its schema is at {revision}, "
            f"this version knows those up to {wanted_revision()}."
        )
    await upgrade(engine)
    return wanted_revision()


@click.command("migrate")
@setting_options("data", "database_url")
def command(**typed: Any) -> None:
    """Bring the database's schema up to this version's. Several at once wait for one another."""
    revision = in_database(read_settings(typed), migrate)
    click.echo(f"The database's schema is at {revision}.")
