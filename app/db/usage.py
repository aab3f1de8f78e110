"""Queries on what live jobs use: who watches, what was measured."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, Job, Project, UsageWatch, User
from app.domain.lifecycle import LAUNCHED

_LAUNCHED = [status.value for status in LAUNCHED]


async def watch(session: AsyncSession, experiment_id: int, seconds: float) -> None:
    """Somebody watches for so long, at least."""
    until = func.clock_timestamp() + timedelta(seconds=seconds)
    statement = upsert(UsageWatch).values(experiment_id=experiment_id, watched_until=until, rows=[])
    statement = statement.on_conflict_do_update(
        index_elements=[UsageWatch.experiment_id], set_={"watched_until": until}
    )
    await session.execute(statement)


async def find_watched_jobs(session: AsyncSession) -> Sequence[AnyRow]:
    """The live jobs of experiments that are watched: experiment_id, experiment_uuid, id, uuid, attempt, role,
    username, project; an experiment without any is one row whose id is null."""
    query = (
        select(
            UsageWatch.experiment_id,
            Experiment.uuid.label("experiment_uuid"),
            Job.id,
            Job.uuid,
            Job.attempt,
            Job.role,
            User.username,
            Project.name.label("project"),
        )
        .join(Experiment, Experiment.id == UsageWatch.experiment_id)
        .join(Project, Project.id == Experiment.project_id)
        .join(User, User.id == Project.owner_id)
        .outerjoin(Job, and_(Job.experiment_id == Experiment.id, Job.status.in_(_LAUNCHED)))
        .where(UsageWatch.watched_until > func.clock_timestamp())
        .order_by(UsageWatch.experiment_id, Job.id)
    )
    return (await session.execute(query)).all()


async def set_rows(session: AsyncSession, rows: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    """What was measured now, an experiment each; what nobody watches any more goes."""
    for experiment_id, measured in rows.items():
        await session.execute(
            update(UsageWatch)
            .where(UsageWatch.experiment_id == experiment_id)
            .values(rows=list(measured), measured_at=func.clock_timestamp())
        )
    await session.execute(delete(UsageWatch).where(UsageWatch.watched_until <= func.clock_timestamp()))


async def find_rows(session: AsyncSession, experiment_id: int, fresh: float) -> AnyRow | None:
    """The experiment's status, owner_id, is_public, and rows: what was measured in the last `fresh` seconds,
    else null. None when it is deleted."""
    since = func.clock_timestamp() - timedelta(seconds=fresh)
    query = (
        select(Experiment.status, Project.owner_id, Project.is_public, UsageWatch.rows)
        .join(Project, Project.id == Experiment.project_id)
        .outerjoin(
            UsageWatch, and_(UsageWatch.experiment_id == Experiment.id, UsageWatch.measured_at >= since)
        )
        .where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None), Project.deleted_at.is_(None))
    )
    return (await session.execute(query)).one_or_none()
