"""Sort keys as SQL: what has no value comes last, ties go by id."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_
from sqlalchemy.orm import aliased

from app.db.conditions import declared, literals
from app.db.tables import Experiment, LastMetric
from app.domain.query.conditions import Field, SortKey

S = TypeVar("S", bound=Select[Any])

# By code points, whatever the database's language.
_COLUMNS: dict[Field, Any] = {
    Field.CREATED_AT: Experiment.created_at,
    Field.UPDATED_AT: Experiment.updated_at,
    Field.STARTED_AT: Experiment.started_at,
    Field.FINISHED_AT: Experiment.finished_at,
    Field.ID: Experiment.id,
    Field.NAME: Experiment.name.collate("C"),
    Field.STATUS: Experiment.status.collate("C"),
}
_NEVER_NULL = (Field.CREATED_AT, Field.UPDATED_AT, Field.ID, Field.STATUS)


def ordered(statement: S, keys: Sequence[SortKey]) -> S:
    """`statement`, a select from `Experiment`, sorted by `keys`, then by id; adds no rows.

    Joins the newest metrics that it sorts by: count without it.
    """
    for key in keys:
        if key.field is Field.METRIC:
            statement, values = _metric(statement, key.key or "")
        elif key.field is Field.DECLARATION:
            values = declared.order(key.key or "")
        else:
            values = [_COLUMNS[key.field]]
        statement = statement.order_by(*(_directed(value, key) for value in values))
        if key.field is Field.ID:
            return statement
    return statement.order_by(Experiment.id)


def _metric(statement: S, name: str) -> tuple[S, list[ColumnElement[Any]]]:
    """The newest value, joined; one that is NaN is none."""
    newest = aliased(LastMetric)
    of_experiment = and_(
        newest.experiment_id == Experiment.id,
        newest.key == literals.word(name),
        newest.value < literals.NAN,
    )
    return statement.outerjoin(newest, of_experiment), [newest.value.expression]


def _directed(value: ColumnElement[Any], key: SortKey) -> ColumnElement[Any]:
    directed = value.desc() if key.descending else value.asc()
    # An index serves the order only when it says nothing of nulls that can't be.
    return directed if key.field in _NEVER_NULL else directed.nulls_last()
