"""One experiment, by the names in its path."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, Project, User

MAX_ID = 2**63 - 1


async def find_brief(
    session: AsyncSession, username: str, project_name: str, experiment_id: int
) -> AnyRow | None:
    """What a call below an experiment needs to know: id, uuid, status, outputs_uuid, outputs_volume, attempt,
    tracked (no spec: nothing is launched), project_id, project_uuid, owner_id, is_public, deleted ones left out."""
    if not 0 < experiment_id <= MAX_ID:
        return None
    query = (
        select(
            Experiment.id,
            Experiment.uuid,
            Experiment.status,
            Experiment.outputs_uuid,
            Experiment.outputs_volume,
            Experiment.attempt,
            Experiment.config.is_(None).label("tracked"),
            Experiment.project_id,
            Experiment.code_id,
            Experiment.has_tensorboard,
            Project.uuid.label("project_uuid"),
            Project.owner_id,
            Project.is_public,
        )
        .join(Project, Project.id == Experiment.project_id)
        .join(User, User.id == Project.owner_id)
        .where(
            Experiment.id == experiment_id,
            Experiment.deleted_at.is_(None),
            Project.name == project_name,
            Project.deleted_at.is_(None),
            User.username == username,
        )
    )
    return (await session.execute(query)).one_or_none()


async def exists(session: AsyncSession, experiment_id: int) -> bool:
    """Whether it is there and not deleted."""
    query = select(Experiment.id).where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
    return (await session.execute(query)).one_or_none() is not None
