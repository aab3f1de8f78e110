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
    bound = min(offset, BIGGEST_OFFSET)
    everywhere = select_experiments(caller_id)
    if not sort:
        query = filtered(everywhere.where(*_scope(caller_id, project_id, everything)), conditions)
        query = query.order_by(Experiment.updated_at.desc(), Experiment.id.desc())
        return (await session.execute(query.limit(limit).offset(bound))).all()
    # Sorting ids alone, then reading the page's rows, costs a third of sorting whole rows.
    ids = ordered(filtered(_ids(caller_id, project_id, everything), conditions), sort)
    chosen = Experiment.id.in_(ids.limit(limit).offset(bound).correlate(None).scalar_subquery())
    return (await session.execute(ordered(everywhere.where(chosen), sort))).all()


async def count(
    session: AsyncSession,
    caller_id: int,
    *,
    project_id: int | None,
    everything: bool,
    conditions: Sequence[Condition],
) -> int:
    """How many rows all pages have together."""
    base = _ids(caller_id, project_id, everything).with_only_columns(func.count())
    return int((await session.execute(filtered(base, conditions))).scalar_one())


def _ids(caller_id: int, project_id: int | None, everything: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(Experiment.id)
        .join(Project, Project.id == Experiment.project_id)
        .where(
            Experiment.deleted_at.is_(None),
            Project.deleted_at.is_(None),
            *_scope(caller_id, project_id, everything),
        )
    )


def _scope(caller_id: int, project_id: int | None, everything: bool) -> list[Any]:
    if project_id is not None:
        return [Experiment.project_id == project_id]
    return [] if everything else [or_(Project.is_public, Project.owner_id == caller_id)]
