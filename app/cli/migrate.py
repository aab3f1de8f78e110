"""`bunsen migrate`: the database's schema, brought up to this release's."""

from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.cli.database import in_database
from app.cli.options import read_settings, setting_options
from app.db.engine import create_sessions
from app.db.migrations import current_schema, upgrade, wanted_revision
from app.db.notify import Notifier
from app.embedded.errors import CannotStart
from app.services.first_user import make_root


async def migrate(engine: AsyncEngine) -> str:
    """Run what is missing, if anything; gives the revision. A newer one on which this version runs stays.
    Raises CannotStart for one on which it doesn't."""
    async with AsyncSession(engine) as session:
        schema = await current_schema(session)
    if not schema.newer:
        await upgrade(engine)
        return wanted_revision()
    if trouble := schema.trouble():
        raise CannotStart(trouble)
    return schema.revision or ""


@click.command("migrate")
@setting_options("data", "database_url")
def command(**typed: Any) -> None:
    """Bring the database's schema up to this version's. Several at once wait for one another.

    With BUNSEN_ROOT_PASSWORD, also make the first user where there is none.
    """
    settings = read_settings(typed)

    async def work(engine: AsyncEngine) -> str:
        revision = await migrate(engine)
        if settings.root_password:
            await make_root(create_sessions(engine, Notifier(engine)), settings.root_password)
        return revision

    revision = in_database(settings, work)
    click.echo(f"The database's schema is at {revision}.")
