"""Experiments that another names, to read their outputs or to go on from them."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Experiment, Project, User

MAX_ID = 2**63 - 1


async def find_reference(
    session: AsyncSession,
    *,
    caller_id: int,
    everything: bool,
    experiment_id: int | None = None,
    name: str | None = None,
    project: str | None = None,
    owner: str | None = None,
    in_project: int | None = None,
) -> AnyRow | None:
    """An experiment that the caller may see, by its id, or by name in a project (`in_project` when none is
    named): id, uuid, outputs_uuid."""
    if experiment_id is not None and not 0 < experiment_id <= MAX_ID:
        return None
    query = (
        select(Experiment.id, Experiment.uuid, Experiment.outputs_uuid)
        .join(Project, Project.id == Experiment.project_id)
        .join(User, User.id == Project.owner_id)
        .where(Experiment.deleted_at.is_(None), Project.deleted_at.is_(None))
    )
    if not everything:
        query = query.where(or_(Project.is_public, Project.owner_id == caller_id))
    if experiment_id is not None:
        query = query.where(Experiment.id == experiment_id)
    elif project is None:
        query = query.where(Experiment.project_id == in_project, Experiment.name == name)
    else:
        query = query.where(Project.name == project, User.username == owner, Experiment.name == name)
    return (await session.execute(query)).one_or_none()


async def find_original(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """What a restart, resume or copy takes over, the row locked against deletion until the commit."""
    query = (
        select(
            Experiment.id,
            Experiment.uuid,
            Experiment.description,
            Experiment.tags,
            Experiment.config,
            Experiment.given_declarations,
            Experiment.declarations,
            Experiment.ttl,
            Experiment.code_id,
            Experiment.original_id,
            Experiment.is_resume,
            Experiment.outputs_uuid,
            Experiment.outputs_volume,
        )
        .where(Experiment.id == experiment_id, Experiment.deleted_at.is_(None))
        .with_for_update()
    )
    return (await session.execute(query)).one_or_none()
