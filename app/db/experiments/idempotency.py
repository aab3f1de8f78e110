"""Keys that make a create repeatable."""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import IdempotencyKey


async def take(
    session: AsyncSession,
    *,
    user_id: int,
    project_id: int,
    key: str,
    call: str,
    body_hash: str,
    experiment_id: int,
    oldest: datetime,
) -> bool:
    """Take the key for this experiment; False when it is taken. One from before `oldest` counts as none.

    A concurrent taker of the same key waits here until the first one's transaction ends.
    """
    fresh = insert(IdempotencyKey).values(
        user_id=user_id,
        project_id=project_id,
        key=key,
        call=call,
        body_hash=body_hash,
        experiment_id=experiment_id,
    )
    statement = fresh.on_conflict_do_update(
        index_elements=["user_id", "project_id", "key"],
        set_={
            "call": call,
            "body_hash": body_hash,
            "experiment_id": experiment_id,
            "created_at": func.clock_timestamp(),
        },
        where=IdempotencyKey.created_at < oldest,
    ).returning(IdempotencyKey.id)
    return (await session.execute(statement)).one_or_none() is not None


async def find(session: AsyncSession, *, user_id: int, project_id: int, key: str) -> AnyRow | None:
    """What the key was taken for: call, body_hash, experiment_id."""
    query = select(IdempotencyKey.call, IdempotencyKey.body_hash, IdempotencyKey.experiment_id).where(
        IdempotencyKey.user_id == user_id,
        IdempotencyKey.project_id == project_id,
        IdempotencyKey.key == key,
    )
    return (await session.execute(query)).one_or_none()


async def remove_before(session: AsyncSession, oldest: datetime) -> None:
    """Forget keys that are too old to hold."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < oldest))
