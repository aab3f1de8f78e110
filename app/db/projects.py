"""Queries on projects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Bookmark, Build, Experiment, Job, Project, Token, User

_LIVING = (Project.owner_id, Project.name), Project.deleted_at.is_(None)


@dataclass(frozen=True, slots=True)
class Sight:
    """Which projects a user may see: its own and public ones, a superuser all."""

    user_id: int
    is_superuser: bool

    @property
    def condition(self) -> ColumnElement[bool]:
        if self.is_superuser:
            return true()
        return or_(Project.is_public, Project.owner_id == self.user_id)


async def find_brief(session: AsyncSession, username: str, name: str, *, hold: bool = False) -> AnyRow | None:
    """What calls below a project need to know: id, uuid, name, owner_id, owner, is_public, code_id."""
    query = (
        select(
            Project.id,
            Project.uuid,
            Project.name,
            Project.owner_id,
            User.username.label("owner"),
            Project.is_public,
            Project.code_id,
        )
        .join(User, User.id == Project.owner_id)
        .where(User.username == username, Project.name == name, Project.deleted_at.is_(None))
    )
    return (await session.execute(query)).one_or_none()


def select_projects() -> Select[*tuple[Any, ...]]:
    """What a list answers of a project: id, uuid, owner, name, description, tags, created_at, updated_at,
    is_public."""
    return (
        select(
            Project.id,
            Project.uuid,
            User.username.label("owner"),
            Project.name,
            Project.description,
            Project.tags,
            Project.created_at,
            Project.updated_at,
            Project.is_public,
        )
        .join(User, User.id == Project.owner_id)
        .where(Project.deleted_at.is_(None))
    )


async def read(session: AsyncSession, caller_id: int, username: str, name: str) -> AnyRow | None:
    """One project: the columns of a list, owner_id, has_code, num_experiments, num_jobs, num_builds,
    has_tensorboard, bookmarked."""
    experiments = (
        select(
            func.count().label("num_experiments"),
            func.coalesce(func.bool_or(Experiment.has_tensorboard), False).label("has_tensorboard"),
        )
        .where(Experiment.project_id == Project.id, Experiment.deleted_at.is_(None))
        .correlate(Project)
        .lateral("counted")
    )
    jobs = (
        select(func.count())
        .select_from(Job)
        .join(Experiment, Experiment.id == Job.experiment_id)
        .where(Experiment.project_id == Project.id, Experiment.deleted_at.is_(None))
        .correlate(Project)
    )
    builds = select(func.count()).where(Build.project_id == Project.id).correlate(Project)
    query = (
        select_projects()
        .add_columns(
            Project.owner_id,
            Project.code_id.is_not(None).label("has_code"),
            experiments.c.num_experiments,
            experiments.c.has_tensorboard,
            jobs.scalar_subquery().label("num_jobs"),
            builds.scalar_subquery().label("num_builds"),
            _bookmarked_by(caller_id).label("bookmarked"),
        )
        .join(experiments, true())
        .where(User.username == username, Project.name == name)
    )
    return (await session.execute(query)).one_or_none()


def _bookmarked_by(user_id: int) -> ColumnElement[bool]:
    return exists().where(Bookmark.project_id == Project.id, Bookmark.user_id == user_id)


async def count_of(session: AsyncSession, sight: Sight, username: str) -> int | None:
    """How many projects of a user are in sight; None when there is no such user."""
    projects = (
        select(func.count())
        .where(Project.owner_id == User.id, Project.deleted_at.is_(None), sight.condition)
        .correlate(User)
    )
    query = select(projects.scalar_subquery()).select_from(User).where(User.username == username)
    return (await session.execute(query)).scalar_one_or_none()


async def read_page(
    session: AsyncSession, sight: Sight, username: str, *, limit: int, offset: int
) -> Sequence[AnyRow]:
    """A page of a user's projects that are in sight, newest update first."""
    query = (
        select_projects()
        .where(User.username == username, sight.condition)
        .order_by(Project.updated_at.desc(), Project.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return (await session.execute(query)).all()


async def add(
    session: AsyncSession,
    *,
    owner_id: int,
    name: str,
    description: str | None,
    tags: list[str] | None,
    is_public: bool,
) -> int | None:
    """Store a project; gives its id, or None when its owner has one of that name."""
    columns, living = _LIVING
    statement = (
        insert(Project)
        .values(owner_id=owner_id, name=name, description=description, tags=tags, is_public=is_public)
        .on_conflict_do_nothing(index_elements=list(columns), index_where=living)
        .returning(Project.id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def read_tags_locked(session: AsyncSession, project_id: int) -> list[str] | None:
    """The tags of a project, which nobody else changes before the commit."""
    query = select(Project.tags).where(Project.id == project_id).with_for_update()
    return (await session.execute(query)).scalar_one_or_none()


async def change(session: AsyncSession, project_id: int, values: dict[str, Any]) -> None:
    """Set columns of a project; `updated_at` moves. Raises IntegrityError for a name that is taken."""
    statement = (
        update(Project).where(Project.id == project_id).values(**values, updated_at=func.clock_timestamp())
    )
    await session.execute(statement)


async def mark_deleted(session: AsyncSession, project_id: int) -> bool:
    """Hide a project from now on; False where somebody else did before.

    `FOR UPDATE` waits for those who are making something in it (they hold a key share), and lets nobody
    begin: what they made is seen by the next statement.
    """
    living = Project.id == project_id, Project.deleted_at.is_(None)
    locked = select(Project.id).where(*living).with_for_update()
    if (await session.execute(locked)).one_or_none() is None:
        return False
    statement = update(Project).where(*living).values(deleted_at=func.clock_timestamp())
    await session.execute(statement)
    return True


async def mark_experiments_deleted(session: AsyncSession, project_id: int) -> Sequence[int]:
    """Hide all experiments of a project; gives their ids. They are locked in one order, as whoever locks
    several does."""
    there = select(Experiment.id).where(Experiment.project_id == project_id, Experiment.deleted_at.is_(None))
    locked = there.order_by(Experiment.id).with_for_update().scalar_subquery()
    statement = (
        update(Experiment)
        .where(Experiment.id.in_(locked))
        .values(deleted_at=func.clock_timestamp())
        .returning(Experiment.id)
    )
    return (await session.execute(statement)).scalars().all()


async def remove_job_tokens(session: AsyncSession, project_id: int) -> Sequence[bytes]:
    """Delete the tokens of all jobs of a project; gives their hashes."""
    of_project = select(Experiment.id).where(Experiment.project_id == project_id)
    statement = delete(Token).where(Token.experiment_id.in_(of_project)).returning(Token.hash)
    return (await session.execute(statement)).scalars().all()
