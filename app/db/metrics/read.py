"""Reading metrics: pages of rows, and one key's values in packed slices."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import LastMetric, Metric

SLICE = 100_000  # rows that are read at once: about 4 MB

_FIRST = (datetime.min.replace(tzinfo=UTC), 0)

# Aggregates over an ordered subquery see its order. Its LIMIT also keeps the value from being read twice.
_SLICE = text("""
    SELECT
        count(*) AS points,
        string_agg(value, ',') AS numbers,
        string_agg(timestamptz_send(created_at), '') AS times,
        string_agg(int8send(coalesce(step, :no_step)), '') AS steps
    FROM (
        SELECT values ->> :name AS value, created_at, step FROM metrics
        WHERE experiment_id = :experiment_id
            AND (created_at, id) > (CAST(:after_time AS timestamptz), CAST(:after_id AS bigint))
        ORDER BY created_at, id LIMIT :limit
    ) AS slice
    WHERE value IS NOT NULL
""")


class PackedSlice(NamedTuple):
    """Some points of one key, in order: numbers in text joined by commas (NaN, Infinity, -Infinity among
    them), times in microseconds since 2000 and steps, both as big-endian 64-bit integers."""

    numbers: str
    times: bytes
    steps: bytes


async def list_rows(
    session: AsyncSession, experiment_id: int, *, limit: int, offset: int
) -> tuple[int, Sequence[AnyRow]]:
    """How many rows there are, and some of them, oldest first: id, created_at, values, step."""
    query = (
        select(Metric.id, Metric.created_at, Metric.values, Metric.step)
        .where(Metric.experiment_id == experiment_id)
        .order_by(Metric.created_at, Metric.id)
        .limit(limit)
        .offset(offset)
    )
    rows = (await session.execute(query)).all()
    if len(rows) < limit and (rows or not offset):
        return offset + len(rows), rows
    count = select(func.count()).select_from(Metric).where(Metric.experiment_id == experiment_id)
    return (await session.execute(count)).scalar_one(), rows


async def count_values(session: AsyncSession, experiment_id: int, name: str) -> int:
    """How many points have this key."""
    query = select(LastMetric.count).where(LastMetric.experiment_id == experiment_id, LastMetric.key == name)
    return (await session.execute(query)).scalar_one_or_none() or 0


async def read_slices(
    session: AsyncSession, experiment_id: int, name: str, count: int, *, no_step: int
) -> AsyncIterator[PackedSlice]:
    """The points of a key, oldest first, until there were `count`; `no_step` where one has no step."""
    time, metric_id = _FIRST
    while True:
        parameters = {
            "experiment_id": experiment_id,
            "name": name,
            "no_step": no_step,
            "after_time": time,
            "after_id": metric_id,
            "limit": SLICE,
        }
        row = (await session.execute(_SLICE, parameters)).one()
        if row.points:
            yield PackedSlice(row.numbers, row.times, row.steps)
        count -= row.points
        end = await _end_of_slice(session, experiment_id, time, metric_id) if count > 0 else None
        if end is None:
            return
        time, metric_id = end


async def _end_of_slice(
    session: AsyncSession, experiment_id: int, time: datetime, metric_id: int
) -> tuple[datetime, int] | None:
    """The last row of a whole slice after a row; None where fewer rows are left."""
    query = (
        select(Metric.created_at, Metric.id)
        .where(
            Metric.experiment_id == experiment_id,
            tuple_(Metric.created_at, Metric.id) > tuple_(literal(time), literal(metric_id)),
        )
        .order_by(Metric.created_at, Metric.id)
        .offset(SLICE - 1)
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row.created_at, row.id)
