"""Conditions as SQL: what has no value meets no condition, and every negated one."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Exists,
    Select,
    Text,
    and_,
    any_,
    exists,
    false,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from app.db.conditions import declared, literals
from app.db.tables import Experiment, LastMetric, Project, User
from app.domain.query.conditions import Between, Compare, Condition, During, Field, OneOf, Operator, Scalar

S = TypeVar("S", bound=Select[Any])

_MAX_ID = 2**63 - 1
_TIMES: dict[Field, InstrumentedAttribute[Any]] = {
    Field.CREATED_AT: Experiment.created_at,
    Field.UPDATED_AT: Experiment.updated_at,
    Field.STARTED_AT: Experiment.started_at,
    Field.FINISHED_AT: Experiment.finished_at,
}
_IDS: dict[Field, InstrumentedAttribute[Any]] = {
    Field.ID: Experiment.id,
    Field.USER_ID: Experiment.user_id,
    Field.PROJECT_ID: Experiment.project_id,
    Field.BUILD_ID: Experiment.build_id,
}


def filtered(statement: S, conditions: Sequence[Condition]) -> S:
    """`statement`, a select from `Experiment`, with all `conditions`; adds neither rows nor joins."""
    return statement.where(*(_holds(condition) for condition in conditions))


def _holds(condition: Condition) -> ColumnElement[bool]:
    field, expression = condition.field, condition.expression
    if field is Field.METRIC:
        assert not isinstance(expression, During)
        found = _has_metric(condition.key or "", expression)
        # Not `IS NOT TRUE`, so that Postgres may join.
        return not_(found) if condition.negated else found
    if isinstance(expression, During):
        holds = _during(_TIMES[field].expression, expression)
    elif field is Field.DECLARATION:
        assert isinstance(expression, OneOf | Compare)
        holds = declared.meets(condition.key or "", expression)
    else:
        assert isinstance(expression, OneOf)
        holds = _is_one_of(field, expression.values)
    return holds.is_not(True) if condition.negated else holds


def _has_metric(key: str, expression: OneOf | Compare | Between) -> Exists:
    of_experiment = exists().where(LastMetric.experiment_id == Experiment.id)
    of_key = of_experiment.where(LastMetric.key == literals.word(key), _measures(expression))
    # Of what the statement around it selects from, only the experiment is meant.
    return of_key.correlate(Experiment)


def _measures(expression: OneOf | Compare | Between) -> ColumnElement[bool]:
    """The newest value, which is none when it is NaN: Postgres has NaN greater than all numbers."""
    value = LastMetric.value
    if isinstance(expression, OneOf):
        return or_(*(value == literals.number(float(number or 0)) for number in expression.values))
    if isinstance(expression, Between):
        return value.between(literals.number(expression.low), literals.number(expression.high))
    compared = value.bool_op(expression.operator.value)(literals.number(float(expression.value)))
    if expression.operator in (Operator.GREATER, Operator.AT_LEAST):
        return and_(compared, value < literals.NAN)
    return compared


def _during(column: ColumnElement[Any], stretch: During) -> ColumnElement[bool]:
    bounds = []
    if stretch.since is not None:
        bounds.append(column >= literals.time(stretch.since))
    if stretch.until is not None:
        bounds.append(column < literals.time(stretch.until))
    return and_(*bounds)


def _is_one_of(field: Field, values: tuple[Scalar, ...]) -> ColumnElement[bool]:
    if field in _IDS:
        ids = [value for value in values if isinstance(value, int) and value <= _MAX_ID]
        return _IDS[field].expression == any_(literal(ids, ARRAY(BigInteger)))
    if field is Field.INDEPENDENT:
        # No experiment is part of a group, here and in GROUP_ID.
        return true() if True in values else false()
    if field is Field.GROUP_ID:
        return false()
    texts = [str(value) for value in values]
    if field is Field.STATUS:
        return Experiment.status.in_(literals.words(texts))
    array = literal(texts, ARRAY(Text))
    one = any_(array)
    if field is Field.TAGS:
        return Experiment.tags.bool_op("&&")(array)
    if field is Field.USERNAME:
        return Experiment.user_id.in_(select(User.id).where(User.username == one).correlate(None))
    if field is Field.PROJECT_NAME:
        unique_name = User.username + "." + Project.name
        named = select(Project.id).join(User, User.id == Project.owner_id)
        either = or_(Project.name == one, unique_name == one)
        return Experiment.project_id.in_(named.where(either).correlate(None))
    if field is Field.COMMIT:
        return Experiment.code_reference.op("->>", return_type=Text())("commit") == one
    return Experiment.name == one
