"""Whether what a path names below an experiment, or a build, is there."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments.find import MAX_ID
from app.db.rows import AnyRow
from app.db.tables import Build, Job, Project, User


async def has_job(session: AsyncSession, experiment_id: int, job_id: int) -> bool:
    """Whether the experiment has this job."""
    if not 0 < job_id <= MAX_ID:
        return False
    query = select(Job.id).where(Job.id == job_id, Job.experiment_id == experiment_id)
    return (await session.execute(query)).one_or_none() is not None


async def find_build(session: AsyncSession, username: str, project_name: str, build_id: int) -> AnyRow | None:
    """A build by the names in its path: owner_id, is_public."""
    if not 0 < build_id <= MAX_ID:
        return None
    query = (
        select(Project.owner_id, Project.is_public)
        .join(Build, Build.project_id == Project.id)
        .join(User, User.id == Project.owner_id)
        .where(
            Build.id == build_id,
            Project.name == project_name,
            Project.deleted_at.is_(None),
            User.username == username,
        )
    )
    return (await session.execute(query)).one_or_none()
