"""Lists of experiments: filtered, sorted, a page at a time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.conditions.filtering import filtered
from app.db.conditions.sorting import ordered
from app.db.experiments.read import select_experiments
from app.db.rows import AnyRow
from app.db.tables import Experiment, Project
from app.domain.query.conditions import Condition, SortKey

BIGGEST_OFFSET = 2**62


async def page(
    session: AsyncSession,
    caller_id: int,
    *,
    project_id: int | None,
    everything: bool,
    conditions: Sequence[Condition],
    sort: Sequence[SortKey],
    limit: int,
    offset: int,
) -> Sequence[AnyRow]:
    """Rows of `select_experiments`, newest update first unless `sort` says otherwise.

    One project's, or (None) those of every project that the caller may see; `everything` for superusers.
    """
    query = filtered(
        select_experiments(caller_id).where(*_scope(caller_id, project_id, everything)), conditions
    )
    query = (
        ordered(query, sort) if sort else query.order_by(Experiment.updated_at.desc(), Experiment.id.desc())
    )
    return (await session.execute(query.limit(limit).offset(min(offset, BIGGEST_OFFSET)))).all()


async def count(
    session: AsyncSession,
    caller_id: int,
    *,
    project_id: int | None,
    everything: bool,
    conditions: Sequence[Condition],
) -> int:
    """How many rows all pages have together."""
    base: Select[*tuple[Any, ...]] = (
        select(func.count())
        .select_from(Experiment)
        .join(Project, Project.id == Experiment.project_id)
        .where(
            Experiment.deleted_at.is_(None),
            Project.deleted_at.is_(None),
            *_scope(caller_id, project_id, everything),
        )
    )
    return int((await session.execute(filtered(base, conditions))).scalar_one())


def _scope(caller_id: int, project_id: int | None, everything: bool) -> list[Any]:
    if project_id is not None:
        return [Experiment.project_id == project_id]
    return [] if everything else [or_(Project.is_public, Project.owner_id == caller_id)]
