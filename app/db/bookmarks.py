"""Queries on bookmarks."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.experiments.read import select_experiments
from app.db.projects import Sight, select_projects
from app.db.rows import AnyRow
from app.db.tables import Bookmark, Experiment, Project

Mark = aliased(Bookmark, name="mark")  # `select_experiments` looks for the caller's by the table's own name


async def add(
    session: AsyncSession, user_id: int, *, experiment_id: int | None = None, project_id: int | None = None
) -> None:
    """Mark one of the two; once more changes nothing. Raises IntegrityError for what is gone."""
    statement = insert(Bookmark).values(user_id=user_id, experiment_id=experiment_id, project_id=project_id)
    await session.execute(statement.on_conflict_do_nothing())


async def remove(
    session: AsyncSession, user_id: int, *, experiment_id: int | None = None, project_id: int | None = None
) -> None:
    """Take a mark off one of the two, if there is one."""
    statement = delete(Bookmark).where(
        Bookmark.user_id == user_id,
        Bookmark.experiment_id == experiment_id,
        Bookmark.project_id == project_id,
    )
    await session.execute(statement)


async def read_experiments(
    session: AsyncSession, sight: Sight, *, limit: int, offset: int
) -> tuple[int, Sequence[AnyRow]]:
    """How many experiments a user marked that it may see, and a page of them, the last marked first."""
    counting = (
        select(func.count())
        .select_from(Bookmark)
        .join(Experiment, Experiment.id == Bookmark.experiment_id)
        .join(Project, Project.id == Experiment.project_id)
        .where(
            Bookmark.user_id == sight.user_id,
            Experiment.deleted_at.is_(None),
            Project.deleted_at.is_(None),
            sight.condition,
        )
    )
    query = (
        select_experiments(sight.user_id)
        .join(Mark, Mark.experiment_id == Experiment.id)
        .where(Mark.user_id == sight.user_id, sight.condition)
        .order_by(Mark.id.desc())
        .limit(limit)
        .offset(offset)
    )
    count = (await session.execute(counting)).scalar_one()
    return count, (await session.execute(query)).all()


async def read_projects(
    session: AsyncSession, sight: Sight, *, limit: int, offset: int
) -> tuple[int, Sequence[AnyRow]]:
    """How many projects a user marked that it may see, and a page of them, the last marked first."""
    counting = (
        select(func.count())
        .select_from(Bookmark)
        .join(Project, Project.id == Bookmark.project_id)
        .where(Bookmark.user_id == sight.user_id, Project.deleted_at.is_(None), sight.condition)
    )
    query = (
        select_projects()
        .join(Bookmark, Bookmark.project_id == Project.id)
        .where(Bookmark.user_id == sight.user_id, sight.condition)
        .order_by(Bookmark.id.desc())
        .limit(limit)
        .offset(offset)
    )
    count = (await session.execute(counting)).scalar_one()
    return count, (await session.execute(query)).all()
