"""Builds as people read them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, CodeArchive, User

MAX_ID = 2**63 - 1


def _select(project_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Build.id,
            Build.uuid,
            Build.hash,
            Build.spec,
            Build.status,
            Build.environment,
            Build.created_at,
            Build.updated_at,
            Build.started_at,
            Build.finished_at,
            Build.definition,
            User.username.label("maker"),
        )
        .join(User, User.id == Build.user_id)
        .where(Build.project_id == project_id)
    )


async def page(
    session: AsyncSession, project_id: int, *, limit: int, offset: int
) -> tuple[int, Sequence[AnyRow]]:
    """How many builds the project has, and some, newest first."""
    query = _select(project_id).order_by(Build.id.desc()).limit(limit).offset(offset)
    rows = (await session.execute(query)).all()
    if offset == 0 and len(rows) < limit:
        return len(rows), rows
    count = select(func.count()).select_from(Build).where(Build.project_id == project_id)
    return int((await session.execute(count)).scalar_one()), rows


async def find(session: AsyncSession, project_id: int, build_id: int) -> AnyRow | None:
    """One build of the project."""
    if not 0 < build_id <= MAX_ID:
        return None
    return (await session.execute(_select(project_id).where(Build.id == build_id))).one_or_none()


async def find_code(session: AsyncSession, project_id: int, build_id: int) -> AnyRow | None:
    """The code of one build of the project: sha256, step_files; None where it has none."""
    if not 0 < build_id <= MAX_ID:
        return None
    query = (
        select(CodeArchive.sha256, CodeArchive.step_files)
        .join(Build, Build.code_id == CodeArchive.id)
        .where(Build.project_id == project_id, Build.id == build_id)
    )
    return (await session.execute(query)).one_or_none()
