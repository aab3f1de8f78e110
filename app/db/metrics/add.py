"""Storing points and the newest value of each key, in one statement."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables import MetricBatch
from app.domain.metric_points import Batch, Point, Points

# The lock does a foreign key's work, once for all rows: none comes after the experiment's deletion.
_EXPERIMENT = """
    experiment AS MATERIALIZED (
        SELECT id AS experiment_id, clock_timestamp() AS now FROM experiments
        WHERE id = :experiment_id AND deleted_at IS NULL
        FOR KEY SHARE
    )"""

# A repeat finds the batch there, also one that another transaction is storing: it waits for its end.
_CLAIMED = """
    claimed AS MATERIALIZED (
        INSERT INTO metric_batches (experiment_id, batch_id, body_hash, count)
        SELECT experiment_id, :batch_id, :body_hash, :batch_count FROM experiment
        ON CONFLICT DO NOTHING
        RETURNING experiment_id
    )"""

_ONE = """
    added AS (
        INSERT INTO metrics (experiment_id, values, step, created_at)
        SELECT experiment_id, CAST(:values AS jsonb), CAST(:step AS bigint),
            coalesce(CAST(:created_at AS timestamptz), now)
        FROM experiment
        RETURNING id, created_at
    ), newest AS (
        SELECT experiment_id, key, value, created_at, id, 1 AS rows
        FROM experiment, added, unnest(CAST(:keys AS text[]), CAST(:numbers AS float8[])) AS n (key, value)
    )"""

# Ids follow the order of the points. Of a key that has a newest value with a time and one of now, the
# newer counts.
_MANY = """
    added AS (
        INSERT INTO metrics (experiment_id, values, step, created_at)
        SELECT experiment_id, point.values, step, coalesce(created_at, now)
        FROM source, jsonb_to_recordset(CAST(:points AS jsonb))
            AS point (values jsonb, step bigint, created_at timestamptz)
        RETURNING id, created_at
    ), numbered AS (
        SELECT id, created_at, row_number() OVER (ORDER BY id) - 1 AS position FROM added
    ), newest AS (
        SELECT DISTINCT ON (key) experiment_id, key, value, created_at, id,
            sum(rows) OVER (PARTITION BY key) AS rows
        FROM source, numbered JOIN unnest(
            CAST(:keys AS text[]), CAST(:numbers AS float8[]), CAST(:positions AS bigint[]),
            CAST(:rows AS bigint[])
        ) AS n (key, value, position, rows) USING (position)
        ORDER BY key, created_at DESC, id DESC
    )"""

# Rows are locked in the order of their keys, so that writers can't deadlock.
_KEPT = """
    kept AS (
        INSERT INTO last_metrics AS old (experiment_id, key, value, created_at, metric_id, count)
        SELECT experiment_id, key, value, created_at, id, rows FROM newest ORDER BY key
        ON CONFLICT (experiment_id, key) DO UPDATE SET
            count = old.count + excluded.count,
            value = CASE WHEN (excluded.created_at, excluded.metric_id) > (old.created_at, old.metric_id)
                THEN excluded.value ELSE old.value END,
            metric_id = CASE WHEN (excluded.created_at, excluded.metric_id) > (old.created_at, old.metric_id)
                THEN excluded.metric_id ELSE old.metric_id END,
            created_at = greatest(old.created_at, excluded.created_at)
    )"""


def _statement(*parts: str, answer: str) -> TextClause:
    return text(f"WITH {', '.join(parts)} SELECT {answer}")


_SOURCE = "source AS (SELECT experiment_id, now FROM experiment)"
_CLAIMED_SOURCE = "source AS (SELECT experiment_id, now FROM claimed JOIN experiment USING (experiment_id))"
_ROWS = "id, created_at FROM added ORDER BY id"
_COUNT = "count(*) FROM added"

_ADD_ONE = _statement(_EXPERIMENT, _ONE, _KEPT, answer=_ROWS)
_ADD_MANY = _statement(_EXPERIMENT, _SOURCE, _MANY, _KEPT, answer=_ROWS)
_ADD_UNNAMED = _statement(_EXPERIMENT, _SOURCE, _MANY, _KEPT, answer=_COUNT)
_ADD_NAMED = _statement(_EXPERIMENT, _CLAIMED, _CLAIMED_SOURCE, _MANY, _KEPT, answer=_COUNT)


async def add_one(session: AsyncSession, experiment_id: int, point: Point) -> AnyRow | None:
    """Store a point; gives its id and created_at, None where there is no such experiment."""
    parameters = {
        "experiment_id": experiment_id,
        "values": orjson.dumps(point.values).decode(),
        "step": point.step,
        "created_at": point.created_at,
        "keys": list(point.values),
        "numbers": [float(value) for value in point.values.values()],
    }
    return (await session.execute(_ADD_ONE, parameters)).one_or_none()


async def add_many(session: AsyncSession, experiment_id: int, points: Points) -> Sequence[AnyRow]:
    """Store points, one row each; gives their id and created_at in order. None: no such experiment."""
    return (await session.execute(_ADD_MANY, _parameters(experiment_id, points))).all()


async def add_batch(session: AsyncSession, experiment_id: int, batch: Batch) -> int:
    """Store a batch, once for each `batch_id`; gives how many rows were added now."""
    parameters = _parameters(experiment_id, batch.points)
    statement = _ADD_UNNAMED
    if batch.batch_id is not None:
        statement = _ADD_NAMED
        parameters |= {
            "batch_id": batch.batch_id,
            "body_hash": batch.hash,
            "batch_count": len(batch.points.rows),
        }
    added: int = (await session.execute(statement, parameters)).scalar_one()
    return added


async def find_batch(session: AsyncSession, experiment_id: int, batch_id: str) -> AnyRow | None:
    """The batch that was taken with this id: its body_hash."""
    query = select(MetricBatch.body_hash).where(
        MetricBatch.experiment_id == experiment_id, MetricBatch.batch_id == batch_id
    )
    return (await session.execute(query)).one_or_none()


def _parameters(experiment_id: int, points: Points) -> dict[str, Any]:
    return {
        "experiment_id": experiment_id,
        "points": points.text,
        "keys": [newest.key for newest in points.newest],
        "numbers": [newest.value for newest in points.newest],
        "positions": [newest.position for newest in points.newest],
        "rows": [newest.rows for newest in points.newest],
    }
