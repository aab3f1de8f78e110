"""Small random worlds to search: few values, so that conditions often meet rows, the worst among them."""

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Text, cast, insert, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import Build, Experiment, LastMetric, Project, User
from app.domain.lifecycle import Status
from app.domain.query.conditions import (
    Between,
    Compare,
    Condition,
    During,
    Expression,
    Field,
    OneOf,
    Operator,
    SortKey,
)
from tests.domain.query.oracle import Row

USERS = {1: "ann", 2: "bob"}
PROJECTS = {1: ("p", 1), 2: ("p", 2), 3: ("q", 1)}
BUILDS = {1: 1, 2: 2}

TIMES = [Field.CREATED_AT, Field.UPDATED_AT, Field.STARTED_AT, Field.FINISHED_AT]
IDS = [Field.ID, Field.USER_ID, Field.PROJECT_ID, Field.BUILD_ID, Field.GROUP_ID]

# Signs that SQL, its driver or its builder might take for their own.
NASTY = [
    "a'b",
    'a"b',
    "\\",
    "%s",
    ":x",
    "$1",
    "{1}",
    "--",
    "__[POSTCOMPILE_x]",
    "é",
    "\U0001f9ea",
    "Z",
    "NULL",
]
texts = st.sampled_from(["", "a", "b", "ab", "64", "true", "null", *NASTY])
keys = st.sampled_from(["a", "b", "a.b", "b.a", "a.a.b", ".", "a'b", "$1", "0", ":x"])
moments = st.builds(
    lambda days, micros: datetime(2018, 10, 1, tzinfo=UTC) + timedelta(days=days, microseconds=micros),
    st.integers(-1, 1),
    st.integers(-1, 1),
)
whole = st.sampled_from([0, 1, -1, 64, 2**53 + 1, 2**64 + 1, 10**23, 10**308])
fractions = st.sampled_from([0.0, -0.0, 0.1, -0.1, 1.0, 64.0, 0.30000000000000004, 1e23, 5e-324, 1.7e308])
numbers = st.one_of(whole, fractions)
doubles = st.one_of(fractions, st.sampled_from([math.inf, -math.inf]))
scalars = st.one_of(texts, numbers, st.booleans(), st.none())
# A whole number of 400 digits is JSON too, and no double.
declared_scalars = st.one_of(scalars, st.just(10**400))
declared_values = st.recursive(
    declared_scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=4,
)


@st.composite
def expressions(draw: st.DrawFn, field: Field) -> Expression:
    operator = st.sampled_from(list(Operator))
    if field in TIMES:
        since, until = draw(moments), draw(moments)
        stretches = [During(since, None), During(None, until), During(since, until)]
        return draw(st.sampled_from(stretches))
    if field is Field.METRIC:
        low, high = draw(doubles), draw(doubles)
        measures: list[Expression] = [OneOf((low,)), Between(low, high), Compare(draw(operator), low)]
        return draw(st.sampled_from(measures))
    if field is Field.DECLARATION:
        values = draw(st.lists(scalars, min_size=1, max_size=3))
        compare = Compare(draw(operator), draw(st.one_of(texts, numbers)))
        either: list[Expression] = [OneOf(tuple(values)), compare]
        return draw(st.sampled_from(either))
    of_field: dict[Field, st.SearchStrategy[Any]] = {
        Field.INDEPENDENT: st.booleans(),
        Field.STATUS: st.sampled_from([str(status) for status in Status]),
        Field.USERNAME: st.sampled_from(["ann", "bob", "a'b"]),
        Field.PROJECT_NAME: st.sampled_from(["p", "q", "ann.p", "bob.p", "bob.q", "p.p", "."]),
    }
    ids = st.sampled_from([0, 1, 2, 3, 2**63 - 1, 2**63, 10**30])
    values = draw(st.lists(of_field.get(field, ids if field in IDS else texts), min_size=1, max_size=3))
    return OneOf(tuple(values))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from([*Field, Field.METRIC, Field.DECLARATION, Field.DECLARATION]))
    key = draw(keys) if field in (Field.METRIC, Field.DECLARATION) else None
    return Condition(field, draw(expressions(field)), key, draw(st.booleans()))


@st.composite
def sort_keys(draw: st.DrawFn) -> SortKey:
    plain = [*TIMES, Field.ID, Field.NAME, Field.STATUS]
    field = draw(st.sampled_from([*plain, *[Field.METRIC, Field.DECLARATION] * 4]))
    key = draw(keys) if field in (Field.METRIC, Field.DECLARATION) else None
    return SortKey(field, key, draw(st.booleans()))


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """A few experiments, ids from 1."""
    names = draw(st.lists(st.one_of(st.none(), texts), max_size=6, unique_by=lambda name: name or object()))
    return [draw(_row(id, name)) for id, name in enumerate(names, 1)]


@st.composite
def _row(draw: st.DrawFn, id: int, name: str | None) -> Row:
    project_id = draw(st.sampled_from(list(PROJECTS)))
    project, owner_id = PROJECTS[project_id]
    user_id = draw(st.sampled_from(list(USERS)))
    return Row(
        id=id,
        name=name or None,
        status=draw(st.sampled_from([str(status) for status in Status])),
        tags=draw(st.one_of(st.none(), st.lists(texts, max_size=3))),
        created_at=draw(moments),
        updated_at=draw(moments),
        started_at=draw(st.one_of(st.none(), moments)),
        finished_at=draw(st.one_of(st.none(), moments)),
        user_id=user_id,
        username=USERS[user_id],
        project_id=project_id,
        project=project,
        owner=USERS[owner_id],
        build_id=draw(st.sampled_from([None, *BUILDS])),
        commit=draw(st.one_of(st.none(), texts)),
        declarations=draw(st.one_of(st.none(), st.dictionaries(keys, declared_values, max_size=4))),
        metrics=draw(st.dictionaries(keys, st.one_of(doubles, st.just(math.nan)), max_size=4)),
    )


@asynccontextmanager
async def stored(connection: AsyncConnection, world: list[Row]) -> AsyncIterator[None]:
    """The world's experiments are in the database meanwhile."""
    savepoint = await connection.begin_nested()
    try:
        await _store(connection, world)
        yield
    finally:
        await savepoint.rollback()


async def store_people(connection: AsyncConnection) -> None:
    """The users, projects and builds that every world has."""
    users = [{"id": id, "username": name} for id, name in USERS.items()]
    projects = [{"id": id, "name": name, "owner_id": owner} for id, (name, owner) in PROJECTS.items()]
    builds = [
        {"id": id, "project_id": project, "user_id": 1, "hash": "", "spec": {}, "status": "succeeded"}
        for id, project in BUILDS.items()
    ]
    await connection.execute(insert(User), users)
    await connection.execute(insert(Project), projects)
    await connection.execute(insert(Build), builds)


async def _store(connection: AsyncConnection, world: list[Row]) -> None:
    # The last first: what nobody sorts comes out as it went in.
    for row in reversed(world):
        reference = None if row.commit is None else {"commit": row.commit, "branch": "main"}
        await connection.execute(
            insert(Experiment).values(
                id=row.id,
                name=row.name,
                status=row.status,
                tags=row.tags,
                created_at=row.created_at,
                updated_at=row.updated_at,
                started_at=row.started_at,
                finished_at=row.finished_at,
                user_id=row.user_id,
                project_id=row.project_id,
                build_id=row.build_id,
                code_reference=reference,
                declarations=None if row.declarations is None else _json(row.declarations),
                outputs_uuid=str(row.id),
            )
        )
    metrics = [
        {"experiment_id": row.id, "key": key, "value": value, "created_at": row.created_at, "metric_id": 1}
        for row in world
        for key, value in row.metrics.items()
    ]
    if metrics:
        await connection.execute(insert(LastMetric), metrics)


def _json(value: object) -> Any:
    """As text, since not every reader of JSON takes 400 digits."""
    return cast(literal(json.dumps(value, ensure_ascii=False), Text), JSONB)
