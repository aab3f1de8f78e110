"""The documented columns of experiments, one row or many in one statement."""

from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.rows import AnyRow
from app.db.tables import Bookmark, Experiment, LastMetric, Project, User

Maker = aliased(User, name="maker")


def select_experiments(caller_id: int | BindParameter[int]) -> Select[*tuple[Any, ...]]:
    """Everything that an experiment answers, as `caller_id` sees it: its columns, `owner`, `project_name`,
    `owner_id`, `is_public`, `maker`, `bookmarked`, and `last_metric` as an object of exact values
    (non-finite ones as strings), null when there are none."""
    last_metric = (
        select(func.jsonb_object_agg(LastMetric.key, LastMetric.value))
        .where(LastMetric.experiment_id == Experiment.id)
        .correlate(Experiment)
        .scalar_subquery()
    )
    mark = aliased(Bookmark)  # a list of bookmarks has the table itself
    bookmarked = exists().where(mark.experiment_id == Experiment.id, mark.user_id == caller_id)
    return (
        select(
            Experiment.id,
            Experiment.uuid,
            Experiment.name,
            Experiment.description,
            Experiment.created_at,
            Experiment.updated_at,
            Experiment.started_at,
            Experiment.finished_at,
            Experiment.status,
            Experiment.original_id,
            Experiment.build_id,
            Experiment.tags,
            Experiment.config,
            Experiment.declarations,
            Experiment.resources,
            Experiment.num_jobs,
            Experiment.is_clone,
            Experiment.has_tensorboard,
            Project.name.label("project_name"),
            Project.owner_id,
            Project.is_public,
            User.username.label("owner"),
            Maker.username.label("maker"),
            last_metric.label("last_metric"),
            bookmarked.label("bookmarked"),
        )
        .join(Project, Project.id == Experiment.project_id)
        .join(User, User.id == Project.owner_id)
        .join(Maker, Maker.id == Experiment.user_id)
        .where(Experiment.deleted_at.is_(None), Project.deleted_at.is_(None))
    )


# Made once: putting a statement of this size together costs more than Postgres' answer.
_AT = select_experiments(bindparam("caller_id")).where(
    Experiment.id == bindparam("experiment_id"),
    Project.name == bindparam("project_name"),
    User.username == bindparam("username"),
)


async def read_at(
    session: AsyncSession, caller_id: int, username: str, project_name: str, experiment_id: int
) -> AnyRow | None:
    """The experiment of that path."""
    names = {
        "caller_id": caller_id,
        "experiment_id": experiment_id,
        "project_name": project_name,
        "username": username,
    }
    return (await session.execute(_AT, names)).one_or_none()
