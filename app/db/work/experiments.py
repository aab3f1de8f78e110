"""Experiments that the reconciler has to do something about."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    Text,
    all_,
    any_,
    bindparam,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.rows import AnyRow
from app.db.tables import CodeArchive, Experiment, Job, Project, User
from app.domain.lifecycle import DONE, Status

Maker = aliased(User, name="maker")
_DONE = [status.value for status in DONE]


@cache
def _launchable() -> Select[*tuple[Any, ...]]:
    """What a run's spec is made of, with the names in it."""
    return (
        select(
            Experiment.id,
            Experiment.uuid,
            Experiment.status,
            Experiment.user_id,
            Experiment.project_id,
            Experiment.config,
            Experiment.given_declarations,
            Experiment.attempt,
            Experiment.launched_at,
            Experiment.outputs_uuid,
            Experiment.outputs_volume,
            Experiment.copy_of,
            Experiment.build_id,
            Experiment.code_id,
            Experiment.reads,
            Experiment.num_jobs,
            Project.uuid.label("project_uuid"),
            Project.name.label("project_name"),
            User.username.label("owner"),
            Maker.username.label("maker"),
            CodeArchive.sha256.label("code"),
            CodeArchive.step_files,
        )
        .join(Project, Project.id == Experiment.project_id)
        .join(User, User.id == Project.owner_id)
        .join(Maker, Maker.id == Experiment.user_id)
        .outerjoin(CodeArchive, CodeArchive.id == Experiment.code_id)
        .where(
            Experiment.config.is_not(None),
            Experiment.stop_requested_at.is_(None),
            Experiment.deleted_at.is_(None),
        )
        .order_by(Experiment.id)
    )


async def in_status(session: AsyncSession, *statuses: Status, limit: int = 500) -> Sequence[AnyRow]:
    """Experiments with a spec in one of these statuses that nobody stopped, oldest first."""
    return (await session.execute(_in_status(statuses, limit))).all()


@cache
def _in_status(statuses: tuple[Status, ...], limit: int) -> Select[*tuple[Any, ...]]:
    return _launchable().where(Experiment.status.in_([s.value for s in statuses])).limit(limit)


async def by_id(session: AsyncSession, ids: Sequence[int]) -> Sequence[AnyRow]:
    """These experiments, those that were stopped or deleted left out."""
    return (await session.execute(_launchable().where(Experiment.id.in_(ids)))).all()


async def scheduled(
    session: AsyncSession, but_for: Collection[str] = (), limit: int = 500
) -> Sequence[AnyRow]:
    """Experiments whose attempt may start now, in the order of their making; those with the uuids in
    `but_for` are left out."""
    return (await session.execute(_scheduled(limit), {"but_for": list(but_for)})).all()


@cache
def _scheduled(limit: int) -> Select[*tuple[Any, ...]]:
    return (
        _launchable()
        .where(
            Experiment.status == Status.SCHEDULED.value,
            Experiment.uuid != all_(bindparam("but_for", type_=ARRAY(Text))),
            or_(Experiment.retry_at.is_(None), Experiment.retry_at <= func.now()),
        )
        .limit(limit)
    )


async def claim(session: AsyncSession, attempts: Mapping[int, int]) -> set[int]:
    """Mark these attempts, by their experiments, as being launched; gives those that were not stopped,
    deleted or moved meanwhile. All are locked in one order."""
    locked = (
        select(Experiment.id)
        .where(
            tuple_(Experiment.id, Experiment.attempt).in_(attempts.items()),
            Experiment.status == Status.SCHEDULED.value,
            Experiment.stop_requested_at.is_(None),
            Experiment.deleted_at.is_(None),
        )
        .order_by(Experiment.id)
        .with_for_update()
        .scalar_subquery()
    )
    statement = (
        update(Experiment)
        .where(Experiment.id.in_(locked))
        .values(launched_at=func.coalesce(Experiment.launched_at, func.clock_timestamp()))
        .returning(Experiment.id)
    )
    return set((await session.execute(statement)).scalars())


async def unclaim(session: AsyncSession, experiment_id: int, attempt: int, pause: timedelta) -> bool:
    """The launch did not happen and nothing of it is there: a stop may end it at once again. The next try is
    after the pause. False when it was moved meanwhile."""
    statement = (
        update(Experiment)
        .where(
            Experiment.id == experiment_id,
            Experiment.attempt == attempt,
            Experiment.status == Status.SCHEDULED.value,
        )
        .values(launched_at=None, retry_at=func.now() + pause)
        .returning(Experiment.id)
    )
    return (await session.execute(statement)).first() is not None


_STATE = select(  # made once: it is asked several times a second
    Experiment.id,
    Experiment.uuid,
    Experiment.status,
    Experiment.attempt,
    Experiment.retries,
    Experiment.max_retries,
    Experiment.infrastructure_failures,
    Experiment.stop_requested_at,
    Experiment.deleted_at,
    Experiment.launched_at,
).with_for_update()
_LOCK = _STATE.where(Experiment.id == bindparam("experiment_id"))
_LOCK_ALL = _STATE.where(Experiment.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))).order_by(
    Experiment.id
)


async def lock(session: AsyncSession, experiment_id: int) -> AnyRow | None:
    """One experiment's state, locked until the transaction ends."""
    return (await session.execute(_LOCK, {"experiment_id": experiment_id})).one_or_none()


async def lock_all(session: AsyncSession, ids: Collection[int]) -> dict[int, AnyRow]:
    """The same of several, by their ids. They are locked in one order: two that lock several don't wait for
    each other."""
    return {row.id: row for row in await session.execute(_LOCK_ALL, {"ids": list(ids)})}


async def silent(session: AsyncSession, before: datetime) -> Sequence[AnyRow]:
    """Tracked experiments whose last heartbeat lies before a time: id, status."""
    query = select(Experiment.id, Experiment.status).where(
        Experiment.config.is_(None),
        Experiment.status.not_in(_DONE),
        Experiment.deleted_at.is_(None),
        Experiment.heartbeat_at < before,
    )
    return (await session.execute(query)).all()


@cache
def _finished_uncleaned(default_ttl: int, limit: int) -> Select[*tuple[Any, ...]]:
    live = exists().where(Job.experiment_id == Experiment.id, Job.status.not_in(_DONE))
    ttl = func.make_interval(0, 0, 0, 0, 0, 0, func.coalesce(Experiment.ttl, default_ttl))
    return (
        select(Experiment.id, Experiment.uuid)
        .where(
            Experiment.cleaned_at.is_(None),
            Experiment.collected_at.is_not(None),
            Experiment.finished_at + ttl <= func.now(),
            Experiment.deleted_at.is_(None),
            ~live,
        )
        .order_by(Experiment.finished_at)
        .limit(limit)
    )


async def finished_uncleaned(session: AsyncSession, default_ttl: int, limit: int = 200) -> Sequence[AnyRow]:
    """Finished experiments that something is left of on the launcher, of which every line is stored, no job
    is live, and the time to be kept is over: id, uuid."""
    return (await session.execute(_finished_uncleaned(default_ttl, limit))).all()


async def set_columns(session: AsyncSession, experiment_id: int, **values: Any) -> None:
    """Set plain columns (never the status) of one experiment."""
    await session.execute(update(Experiment).where(Experiment.id == experiment_id).values(**values))
