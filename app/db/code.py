"""Queries on uploaded code and on code references."""

from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import CodeArchive, Experiment, Project


async def lock_file(session: AsyncSession, sha256: str) -> None:
    """Nobody else stores or removes this archive's file before the commit."""
    key = func.hashtextextended(sha256, 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def is_named(session: AsyncSession, sha256: str) -> bool:
    """Whether a row names the stored file."""
    return bool((await session.execute(select(exists().where(CodeArchive.sha256 == sha256)))).scalar_one())


async def replace(
    session: AsyncSession, project_id: int, *, sha256: str, size: int, step_files: dict[str, str]
) -> AnyRow | None:
    """Make it what the project's next experiments run: sha256, size, created_at; None for a deleted one."""
    added = (
        insert(CodeArchive)
        .values(project_id=project_id, sha256=sha256, size=size, step_files=step_files)
        .returning(CodeArchive.id, CodeArchive.sha256, CodeArchive.size, CodeArchive.created_at)
    )
    archive = (await session.execute(added)).one()
    statement = (
        update(Project)
        .where(Project.id == project_id, Project.deleted_at.is_(None))
        .values(code_id=archive.id)
        .returning(Project.id)
    )
    living = (await session.execute(statement)).one_or_none()
    return archive if living is not None else None


async def forget(session: AsyncSession, project_id: int) -> None:
    """The project's next experiments run without code."""
    await session.execute(update(Project).where(Project.id == project_id).values(code_id=None))


async def find(session: AsyncSession, archive_id: int) -> AnyRow | None:
    """An archive: sha256, size, created_at."""
    query = select(CodeArchive.sha256, CodeArchive.size, CodeArchive.created_at).where(
        CodeArchive.id == archive_id
    )
    return (await session.execute(query)).one_or_none()


async def read_reference(session: AsyncSession, experiment_id: int) -> dict[str, Any] | None:
    """What the tracker said of an experiment's code."""
    query = select(Experiment.code_reference).where(Experiment.id == experiment_id)
    reference: dict[str, Any] | None = (await session.execute(query)).scalar_one_or_none()
    return reference


async def set_reference(session: AsyncSession, experiment_id: int, reference: dict[str, Any]) -> None:
    """Keep what the tracker says of an experiment's code."""
    statement = (
        update(Experiment)
        .where(Experiment.id == experiment_id)
        .values(code_reference=reference, updated_at=func.clock_timestamp())
    )
    await session.execute(statement)
