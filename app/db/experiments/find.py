"""One experiment, by the names in its path."""

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, Project, User

MAX_ID = 2**63 - 1


_BRIEF = (
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
        Experiment.id == bindparam("experiment_id"),
        Experiment.deleted_at.is_(None),
        Project.name == bindparam("project_name"),
        Project.deleted_at.is_(None),
        User.username == bindparam("username"),
    )
)


async def find_brief(
    session: AsyncSession, username: str, project_name: str, experiment_id: int
) -> AnyRow | None:
    """What a call below an experiment needs to know: the columns of the statement above.

    `tracked`: it has no spec, nothing is launched. Deleted ones are left out.
    """
    if not 0 < experiment_id <= MAX_ID:
        return None
    names = {"experiment_id": experiment_id, "project_name": project_name, "username": username}
    return (await session.execute(_BRIEF, names)).one_or_none()


async def exists(session: AsyncSession, experiment_id: int) -> bool:
    """Whether it is there and not deleted."""
    query = select(Experiment.id).where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
    return (await session.execute(query)).one_or_none() is not None
