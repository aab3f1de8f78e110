"""Queries on tries to log in."""

from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import LoginTry

SWEEP = 100  # old rows deleted with each try: more than it adds


async def count(session: AsyncSession, key: bytes, window: timedelta) -> tuple[int, datetime, datetime]:
    """Count one more try; gives how many there were since when, and the database's time.

    The count begins anew when the window that the first try opened is over.
    """
    now = func.clock_timestamp()
    over = LoginTry.since < now - window
    statement = (
        insert(LoginTry)
        .values(key=key, tries=1)
        .on_conflict_do_update(
            index_elements=[LoginTry.key],
            set_={
                "tries": case((over, 1), else_=LoginTry.tries + 1),
                "since": case((over, now), else_=LoginTry.since),
            },
        )
        .returning(LoginTry.tries, LoginTry.since, now.label("now"))
    )
    row: AnyRow = (await session.execute(statement)).one()
    return row.tries, row.since, row.now


async def forget(session: AsyncSession, key: bytes) -> None:
    """Begin anew: the right password was given."""
    await session.execute(delete(LoginTry).where(LoginTry.key == key))


async def sweep(session: AsyncSession, window: timedelta) -> None:
    """Delete some of those whose window is over; rows that somebody else holds are left to the next."""
    old = (
        select(LoginTry.key)
        .where(LoginTry.since < func.clock_timestamp() - window)
        .limit(SWEEP)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(LoginTry).where(LoginTry.key.in_(old)))
