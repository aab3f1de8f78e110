"""Bringing the schema up, and asking where it stands."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from alembic import command

_LOCK = 0x62756E73656E  # "bunsen": one migration at a time


def _scripts() -> Path:
    """Beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_alembic"
    return inside if inside.is_dir() else package.parent / "alembic"


def alembic_config() -> Config:
    """Alembic's configuration without its file."""
    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    return config


@cache
def wanted_revision() -> str:
    """The newest revision that this release knows."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def knows_revision(revision: str) -> bool:
    """Whether this release knows a revision; it doesn't when the database is a newer release's."""
    known = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return revision in {script.revision for script in known}


async def current_revision(session: AsyncSession) -> str | None:
    """The schema's revision; None for an empty database."""
    there = (await session.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one()
    if there is None:
        return None
    return (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()


async def upgrade(engine: AsyncEngine) -> None:
    """Run what is missing; several at once wait for one another."""

    def run(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(run)
