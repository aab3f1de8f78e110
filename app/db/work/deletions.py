"""What was deleted by its owner and is to be removed for good."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.rows import AnyRow
from app.db.tables import (
    Build,
    CodeArchive,
    Experiment,
    Job,
    LogStream,
    Metric,
    Project,
    Tensorboard,
)
from app.domain.lifecycle import DONE

_DONE = [status.value for status in DONE]


async def ended_experiments(session: AsyncSession, limit: int = 100) -> Sequence[AnyRow]:
    """Deleted experiments of which no job and no TensorBoard is live: id, uuid, outputs_uuid,
    outputs_volume."""
    live = exists().where(
        Job.experiment_id == Experiment.id,
        Job.status.not_in(_DONE),
        Experiment.launched_at.is_not(None),
    )
    query = (
        select(Experiment.id, Experiment.uuid, Experiment.outputs_uuid, Experiment.outputs_volume)
        .where(Experiment.deleted_at.is_not(None), ~live)
        .order_by(Experiment.id)
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def tensorboard_of(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """The experiment's TensorBoard: uuid, attempt."""
    query = select(Tensorboard.uuid, Tensorboard.attempt).where(Tensorboard.experiment_id == experiment_id)
    return (await session.execute(query)).one_or_none()


async def outputs_shared(session: AsyncSession, experiment_id: int, outputs_uuid: str) -> bool:
    """Whether another experiment lives in these outputs, whose deletion takes them then."""
    query = select(exists().where(Experiment.id != experiment_id, Experiment.outputs_uuid == outputs_uuid))
    return bool((await session.execute(query)).scalar_one())


async def copy_pending(session: AsyncSession, outputs_uuid: str) -> bool:
    """Whether an experiment is still to start with a copy of these outputs."""
    query = select(
        exists().where(
            Experiment.copy_of == outputs_uuid,
            Experiment.deleted_at.is_(None),
            Experiment.status.not_in(_DONE),
        )
    )
    return bool((await session.execute(query)).scalar_one())


async def remove_experiment(session: AsyncSession, experiment_id: int) -> None:
    """Delete the row and all that hangs on it."""
    await session.execute(delete(Metric).where(Metric.experiment_id == experiment_id))
    await session.execute(
        delete(Experiment).where(Experiment.id == experiment_id, Experiment.deleted_at.is_not(None))
    )


async def unnamed_builds(session: AsyncSession, ids: Sequence[int] | None = None) -> Sequence[AnyRow]:
    """Finished builds that no experiment names: id, uuid, attempt, and `object`, their log's name."""
    query = (
        select(Build.id, Build.uuid, Build.attempt, LogStream.object)
        .outerjoin(LogStream, LogStream.build_id == Build.id)
        .where(Build.status.in_(_DONE), ~exists().where(Experiment.build_id == Build.id))
        .limit(200)
    )
    if ids is not None:
        query = query.where(Build.id.in_(ids))
    return (await session.execute(query)).all()


async def remove_build(session: AsyncSession, build_id: int) -> bool:
    """Delete a build that no experiment names; whether it was there."""
    statement = delete(Build).where(
        Build.id == build_id,
        Build.status.in_(_DONE),
        ~exists().where(Experiment.build_id == Build.id),
    )
    return (await session.execute(statement.returning(Build.id))).one_or_none() is not None


async def unnamed_archives(session: AsyncSession) -> Sequence[AnyRow]:
    """Code archives that no project and no experiment names: id, sha256."""
    query = select(CodeArchive.id, CodeArchive.sha256).where(
        ~exists().where(Project.code_id == CodeArchive.id, Project.deleted_at.is_(None)),
        ~exists().where(Experiment.code_id == CodeArchive.id),
    )
    return (await session.execute(query.limit(200))).all()


async def remove_archive(session: AsyncSession, archive_id: int) -> None:
    """Delete an archive's row, and the mentions of it by builds and deleted projects."""
    await session.execute(update(Build).where(Build.code_id == archive_id).values(code_id=None))
    await session.execute(
        update(Project)
        .where(Project.code_id == archive_id, Project.deleted_at.is_not(None))
        .values(code_id=None)
    )
    await session.execute(
        delete(CodeArchive).where(
            CodeArchive.id == archive_id,
            ~exists().where(Project.code_id == CodeArchive.id),
            ~exists().where(Experiment.code_id == CodeArchive.id),
        )
    )


async def empty_projects(session: AsyncSession) -> list[int]:
    """Deleted projects that nothing is left of."""
    one = aliased(Experiment)
    query = select(Project.id).where(
        Project.deleted_at.is_not(None),
        ~exists().where(one.project_id == Project.id),
        ~exists().where(Build.project_id == Project.id),
    )
    return list((await session.execute(query.limit(100))).scalars())


async def remove_project(session: AsyncSession, project_id: int) -> None:
    """Delete the row."""
    await session.execute(delete(Project).where(Project.id == project_id, Project.deleted_at.is_not(None)))
