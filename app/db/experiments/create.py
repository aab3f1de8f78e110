"""New experiments: their id first, then the row with the beginning of its history."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, ExperimentStatus, Project, User
from app.db.tables.base import new_uuid


async def open_project(session: AsyncSession, username: str, project_name: str) -> AnyRow | None:
    """The project to create in, with the id that the new experiment gets: id, owner_id, is_public, code_id,
    owner, experiment_id."""
    query = (
        select(
            Project.id,
            Project.owner_id,
            Project.is_public,
            Project.code_id,
            User.username.label("owner"),
            func.nextval(func.pg_get_serial_sequence("experiments", "id")).label("experiment_id"),
        )
        .join(User, User.id == Project.owner_id)
        .where(Project.name == project_name, User.username == username, Project.deleted_at.is_(None))
        .with_for_update(of=Project, key_share=True, read=True)
    )
    return (await session.execute(query)).one_or_none()


async def add(session: AsyncSession, values: dict[str, Any], history: Sequence[str]) -> None:
    """Insert the row and the first rows of its history, in one statement.

    Raises IntegrityError for a name that is taken.
    """
    row = insert(Experiment).values(values).returning(Experiment.id).cte("row")
    rows = insert(ExperimentStatus).from_select(
        ["uuid", "experiment_id", "status", "created_at"],
        select(
            func.unnest(_texts([new_uuid() for _ in history])),
            row.c.id,
            func.unnest(_texts(list(history))),
            func.clock_timestamp(),
        ),
    )
    await session.execute(rows)


def _texts(values: list[str]) -> ColumnElement[Any]:
    return literal(values, ARRAY(Text))
