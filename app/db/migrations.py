"""Bringing the schema up, and asking whether this release runs on it.

Migrations expand, then contract (`design.md`, ready means able to serve): a release runs on the next one's
schema, so that replicas are replaced one after another while both are at work.
"""

from dataclasses import dataclass
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


@cache
def known_revisions() -> frozenset[str]:
    """All revisions that this release knows."""
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return frozenset(script.revision for script in scripts)


@dataclass(frozen=True, slots=True)
class Schema:
    """Where a database's schema stands. `revision` is None for an empty database, `oldest` the revision of
    the oldest release that runs on it, where the database says so."""

    revision: str | None
    oldest: str | None = None

    @property
    def newer(self) -> bool:
        """Whether a newer release made it."""
        return self.revision is not None and self.revision not in known_revisions()

    def trouble(self) -> str | None:
        """Why this release can't run on it, in a sentence; None if it can."""
        if self.newer and self.oldest not in known_revisions():
            return (
                f"The database was made by a newer version of Bunsen: its schema is at {self.revision}, "
                f"this version knows those up to {wanted_revision()}."
            )
        if not self.newer and self.revision != wanted_revision():
            return (
                f"The database's schema is at {self.revision or 'nothing'}, this release needs "
                f"{wanted_revision()}: run `bunsen migrate`."
            )
        return None


async def current_schema(session: AsyncSession) -> Schema:
    """Where the database's schema stands."""
    tables = text("SELECT to_regclass('alembic_version'), to_regclass('schema_support')")
    versions, support = (await session.execute(tables)).one()
    if versions is None:
        return Schema(None)
    current = text("SELECT version_num FROM alembic_version")
    revision = (await session.execute(current)).scalar_one_or_none()
    if revision is None or support is None:
        return Schema(revision)
    supported = text("SELECT oldest FROM schema_support WHERE revision = :revision")
    return Schema(revision, (await session.execute(supported, {"revision": revision})).scalar_one_or_none())


async def upgrade(engine: AsyncEngine) -> None:
    """Run what is missing; several at once wait for one another."""

    def run(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(run)
