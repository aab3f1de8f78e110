"""What was deleted by its owner and is to be removed for good."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, delete, exists, select, update
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


@cache
def _ended_experiments(limit: int) -> Select[*tuple[Any, ...]]:
    live = exists().where(
        Job.experiment_id == Experiment.id,
        Job.status.not_in(_DONE),
        Experiment.launched_at.is_not(None),
    )
    return (
        select(Experiment.id, Experiment.uuid, Experiment.outputs_uuid, Experiment.outputs_volume)
        .where(Experiment.deleted_at.is_not(None), ~live)
        .order_by(Experiment.id)
        .limit(limit)
    )


async def ended_experiments(session: AsyncSession, limit: int = 100) -> Sequence[AnyRow]:
    """Deleted experiments of which no job and no TensorBoard is live: id, uuid, outputs_uuid,
    outputs_volume."""
    return (await session.execute(_ended_experiments(limit))).all()


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


@cache
def _unnamed_builds() -> Select[*tuple[Any, ...]]:
    return (
        select(Build.id, Build.uuid, Build.attempt, LogStream.object)
        .outerjoin(LogStream, LogStream.build_id == Build.id)
        .where(Build.status.in_(_DONE), ~exists().where(Experiment.build_id == Build.id))
        .limit(200)
    )


async def unnamed_builds(session: AsyncSession, ids: Sequence[int] | None = None) -> Sequence[AnyRow]:
    """Finished builds that no experiment names: id, uuid, attempt, and `object`, their log's name."""
    query = _unnamed_builds() if ids is None else _unnamed_builds().where(Build.id.in_(ids))
    return (await session.execute(query)).all()


async def remove_build(session: AsyncSession, build_id: int) -> bool:
    """Delete a build that no experiment names; whether it was there."""
    statement = delete(Build).where(
        Build.id == build_id,
        Build.status.in_(_DONE),
        ~exists().where(Experiment.build_id == Build.id),
    )
    return (await session.execute(statement.returning(Build.id))).one_or_none() is not None


@cache
def _unnamed_archives() -> Select[*tuple[Any, ...]]:
    return (
        select(CodeArchive.id, CodeArchive.sha256)
        .where(
            ~exists().where(Project.code_id == CodeArchive.id, Project.deleted_at.is_(None)),
            ~exists().where(Experiment.code_id == CodeArchive.id),
        )
        .limit(200)
    )


async def unnamed_archives(session: AsyncSession) -> Sequence[AnyRow]:
    """Code archives that no project and no experiment names: id, sha256."""
    return (await session.execute(_unnamed_archives())).all()


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


@cache
def _empty_projects() -> Select[*tuple[Any, ...]]:
    one = aliased(Experiment)
    return (
        select(Project.id)
        .where(
            Project.deleted_at.is_not(None),
            ~exists().where(one.project_id == Project.id),
            ~exists().where(Build.project_id == Project.id),
        )
        .limit(100)
    )


async def empty_projects(session: AsyncSession) -> list[int]:
    """Deleted projects that nothing is left of."""
    return list((await session.execute(_empty_projects())).scalars())


async def remove_project(session: AsyncSession, project_id: int) -> None:
    """Delete the row."""
    await session.execute(delete(Project).where(Project.id == project_id, Project.deleted_at.is_not(None)))
