"""Builds that the reconciler works on, and the experiments that wait for them."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import Build, CodeArchive, Environment, Experiment, Project, User
from app.domain.lifecycle import DONE, Status

_DONE = [status.value for status in DONE]


async def find_live(session: AsyncSession, project_id: int, build_hash: str) -> int | None:
    """The project's build of that hash that is not done and not being stopped."""
    query = select(Build.id).where(
        Build.project_id == project_id,
        Build.hash == build_hash,
        Build.status.not_in(_DONE),
        Build.stop_requested_at.is_(None),
    )
    return (await session.execute(query.order_by(Build.id).limit(1))).scalar_one_or_none()


async def is_building(session: AsyncSession, build_hash: str) -> bool:
    """Whether a build of that hash was begun and is not done."""
    query = exists().where(Build.hash == build_hash, Build.attempt > 0, Build.status.not_in(_DONE))
    return bool((await session.execute(select(query))).scalar_one())


async def find_succeeded(session: AsyncSession, project_id: int, build_hash: str) -> int | None:
    """The project's newest build of that hash that succeeded."""
    query = select(Build.id).where(
        Build.project_id == project_id, Build.hash == build_hash, Build.status == Status.SUCCEEDED.value
    )
    return (await session.execute(query.order_by(Build.id.desc()).limit(1))).scalar_one_or_none()


async def lock_hash(session: AsyncSession, build_hash: str) -> None:
    """One writer at a time of builds of this hash, until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(build_hash, 0))))


async def database_time(session: AsyncSession) -> datetime:
    """The database's clock, by which all histories are kept."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def add(session: AsyncSession, values: dict[str, Any]) -> int:
    """Insert a build; gives its id."""
    return (await session.execute(insert(Build).values(values).returning(Build.id))).scalar_one()


def _waits() -> ColumnElement[bool]:
    return and_(
        Experiment.build_id == Build.id,
        Experiment.status == Status.BUILDING.value,
        Experiment.stop_requested_at.is_(None),
        Experiment.deleted_at.is_(None),
    )


@cache
def _live() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Build.id,
            Build.uuid,
            Build.project_id,
            Build.hash,
            Build.spec,
            Build.status,
            Build.attempt,
            Build.created_at,
            Build.started_at,
            Build.stop_requested_at,
            exists().where(_waits()).label("wanted"),
            CodeArchive.sha256.label("code"),
            Project.name.label("project_name"),
            User.username.label("owner"),
        )
        .join(Project, Project.id == Build.project_id)
        .join(User, User.id == Project.owner_id)
        .outerjoin(CodeArchive, CodeArchive.id == Build.code_id)
        .where(Build.status.not_in(_DONE))
        .order_by(Build.id)
    )


async def live(session: AsyncSession) -> Sequence[AnyRow]:
    """Every build that is not done, oldest first, with what its run is made of; `wanted`: somebody waits."""
    return (await session.execute(_live())).all()


async def waiting(session: AsyncSession, build_id: int) -> list[int]:
    """The experiments that are `building` with it."""
    query = select(Experiment.id).where(
        Experiment.build_id == build_id, Experiment.status == Status.BUILDING.value
    )
    return list((await session.execute(query.order_by(Experiment.id))).scalars())


async def set_columns(session: AsyncSession, build_id: int, **values: Any) -> None:
    """Set plain columns (never the status) of one build."""
    await session.execute(
        update(Build).where(Build.id == build_id).values(updated_at=func.clock_timestamp(), **values)
    )


async def environment_of(session: AsyncSession, build_id: int) -> str | None:
    """The environment or image that a build's row names."""
    query = select(Build.environment).where(Build.id == build_id)
    return (await session.execute(query)).scalar_one_or_none()


async def finished_uncleaned(session: AsyncSession, before: datetime) -> Sequence[AnyRow]:
    """Builds that ended before a time, whose log is stored, and of which the launcher still has something:
    id, uuid, attempt."""
    query = select(Build.id, Build.uuid, Build.attempt).where(
        Build.status.in_(_DONE),
        Build.cleaned_at.is_(None),
        Build.collected_at.is_not(None),
        Build.finished_at < before,
    )
    return (await session.execute(query.order_by(Build.id).limit(200))).all()


async def use_environment(session: AsyncSession, build_hash: str, reference: str) -> None:
    """Note that an environment is there and was just used."""
    row = upsert(Environment).values(hash=build_hash, reference=reference)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["hash"], set_={"reference": reference, "used_at": func.clock_timestamp()}
        )
    )


async def unused_environments(session: AsyncSession, before: datetime) -> Sequence[AnyRow]:
    """Environments that nothing used since a time and no live experiment needs: hash, reference."""
    needed = exists().where(
        Build.hash == Environment.hash,
        Experiment.build_id == Build.id,
        Experiment.status.not_in(_DONE),
    )
    building = exists().where(Build.hash == Environment.hash, Build.status.not_in(_DONE))
    query = select(Environment.hash, Environment.reference).where(
        Environment.used_at < before, ~needed, ~building
    )
    return (await session.execute(query)).all()


async def forget_environment(session: AsyncSession, build_hash: str, before: datetime) -> bool:
    """Delete its row if it is still unused; whether it was."""
    statement = delete(Environment).where(Environment.hash == build_hash, Environment.used_at < before)
    return (await session.execute(statement.returning(Environment.hash))).one_or_none() is not None
