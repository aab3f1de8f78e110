"""What a query finds in Postgres, and in which order, is what the language says."""

import math
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.conditions.filtering import filtered
from app.db.conditions.sorting import ordered
from app.db.tables import Experiment, LastMetric, Project, User
from app.domain.query.conditions import Condition, SortKey
from app.domain.query.parsing import parse_query, parse_sort
from tests.db.conditions.worlds import conditions, rows, sort_keys, store_people, stored
from tests.domain.query.oracle import Row, search

in_postgres = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction with the users, projects and builds of a world; rolled back at the end."""
    async with engine.connect() as connection:
        await store_people(connection)
        yield connection


async def found(
    connection: AsyncConnection, conditions: Sequence[Condition], sort: Sequence[SortKey] = ()
) -> list[int]:
    """The ids that a query finds, sorted."""
    return list(await connection.scalars(ordered(filtered(select(Experiment.id), conditions), sort)))


@in_postgres
@given(world=rows(), asked=st.lists(conditions(), min_size=1, max_size=8))
async def test_postgres_finds_what_the_language_says(
    connection: AsyncConnection, world: list[Row], asked: list[Condition]
) -> None:
    async with stored(connection, world):
        for condition in asked:
            assert await found(connection, [condition]) == search(world, [condition])
        assert await found(connection, asked[:2]) == search(world, asked[:2])


@in_postgres
@given(world=rows(), sort=st.lists(sort_keys(), min_size=1, max_size=3))
async def test_postgres_sorts_as_the_language_says(
    connection: AsyncConnection, world: list[Row], sort: list[SortKey]
) -> None:
    async with stored(connection, world):
        assert await found(connection, [], sort) == search(world, [], sort)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2018, 10, day, hour, minute, second, microsecond, UTC)


# The experiments that the queries below search.
FIRST = Row(
    id=1,
    name="first",
    status="succeeded",
    created_at=at(1),
    updated_at=at(5),
    started_at=at(1, 12, 30, 15, 250_000),
    finished_at=at(1, 23, 59, 59, 999_999),
    user_id=1,
    username="ann",
    project_id=1,
    project="p",
    owner="ann",
    tags=["mnist", "a,b|c"],
    build_id=1,
    commit="0a1b2c",
    declarations={"lr": 0.1, "batch": 64, "opt": {"name": "adam"}, "layers": [128, 64], "day": "2018-10-02"},
    metrics={"loss": 0.05, "accuracy": 0.5},
)
SECOND = Row(
    id=2,
    status="running",
    created_at=at(2),
    updated_at=at(5),
    user_id=2,
    username="bob",
    project_id=2,
    project="p",
    owner="bob",
    tags=[],
    declarations={"lr": 0.02, "batch": "64", "opt.name": "sgd", "opt": {"name": "adam"}, "day": None},
    metrics={"loss": math.nan, "accuracy": math.inf},
)
THIRD = Row(
    id=3,
    name="third",
    status="failed",
    created_at=at(3),
    updated_at=at(4),
    started_at=at(3),
    user_id=2,
    username="bob",
    project_id=1,
    project="p",
    owner="ann",
)
WORLD = [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [1, 2, 3]),
        ("status:running|succeeded", [1, 2]),
        ("status:~failed|stopped, user:bob", [2]),
        ("id:" + "9" * 30, []),
        ("id:~" + "9" * 30, [1, 2, 3]),
        ("name:~first", [2, 3]),
        ("project:p", [1, 2, 3]),
        ("project:ann.p", [1, 3]),
        ("build.id:1", [1]),
        ("build.id:~1", [2, 3]),
        ("group.id:1", []),
        ("group.id:~1", [1, 2, 3]),
        ("independent:true", [1, 2, 3]),
        ("independent:~true", []),
        ("commit:0a1b2c", [1]),
        ('tags:"a,b|c"', [1]),
        ("tags:~mnist", [2, 3]),
        ("created_at:2018-10-01..2018-10-02", [1, 2]),
        ("created_at:>2018-10-01", [2, 3]),
        ("finished_at:2018-10-01", [1]),
        ("finished_at:<=2018-10-01", [1]),
        ("finished_at:~<=2018-10-01", [2, 3]),
        ("started_at:2018-10-01 12:30", [1]),
        ("started_at:>2018-10-01 12:30:15", [1, 3]),
        ("metric.loss:<0.1", [1]),
        ("metric.loss:~<0.1", [2, 3]),
        ("metric.loss:>0", [1]),
        ("metric.accuracy:>1e308", [2]),
        ("metric.accuracy:0.5..Infinity", [1, 2]),
        ("metric.accuracy:>-Infinity", [1, 2]),
        ("metric.accuracy:-inf", []),
        ("declarations.lr:0.10", [1]),
        ("declarations.lr:<0.1", [2]),
        ("declarations.batch:64", [1, 2]),
        ('declarations.batch:"64"', [2]),
        ("declarations.batch:>9", [1]),
        ('declarations.batch:>"1"', [2]),
        ('declarations.layers:>"1"', []),
        ("declarations.opt.name:adam", [1]),
        ("declarations.opt.name:~adam", [2, 3]),
        ("declarations.layers.0:128", []),
        ("declarations.day:>2018-10-01", [1]),
        ("declarations.day:null", [2]),
        ("declarations.it's:1", []),
    ],
)
async def test_a_query_finds(connection: AsyncConnection, query: str, ids: list[int]) -> None:
    async with stored(connection, WORLD):
        assert await found(connection, parse_query(query)) == ids
    assert search(WORLD, parse_query(query)) == ids


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("", [1, 2, 3]),
        ("-id", [3, 2, 1]),
        ("-updated_at", [1, 2, 3]),
        ("-updated_at,-id", [2, 1, 3]),
        ("name", [1, 3, 2]),
        ("-name", [3, 1, 2]),
        ("status", [3, 2, 1]),
        ("started_at", [1, 3, 2]),
        ("-started_at", [3, 1, 2]),
        ("metric.loss,-created_at", [1, 3, 2]),
        ("-metric.accuracy", [2, 1, 3]),
        ("declarations.batch", [2, 1, 3]),
        ("-declarations.batch", [1, 2, 3]),
        ("-declarations.opt.name", [2, 1, 3]),
        ("declarations.layers,-id", [3, 2, 1]),
    ],
)
async def test_a_sort_orders(connection: AsyncConnection, sort: str, ids: list[int]) -> None:
    async with stored(connection, WORLD):
        assert await found(connection, (), parse_sort(sort)) == ids
    assert search(WORLD, (), parse_sort(sort)) == ids


@pytest.mark.parametrize("sort", ["name", "status", "declarations.a"])
def test_texts_sort_by_code_points_whatever_the_language_of_the_database(sort: str) -> None:
    assert 'COLLATE "C"' in str(ordered(select(Experiment.id), parse_sort(sort)))


def test_declared_texts_compare_by_code_points_whatever_the_language_of_the_database() -> None:
    assert 'COLLATE "C"' in str(filtered(select(Experiment.id), parse_query("declarations.a:>b")))


async def test_a_statement_may_join_the_tables_that_conditions_ask(connection: AsyncConnection) -> None:
    joined = (
        select(Experiment.id)
        .join(Project, Project.id == Experiment.project_id)
        .join(User, User.id == Project.owner_id)
        .join(LastMetric, LastMetric.experiment_id == Experiment.id)
        .where(LastMetric.key == "accuracy")
    )
    query = parse_query("metric.loss:~>1, metric.accuracy:>0.5, user:bob, project:bob.p|ann.p")
    async with stored(connection, WORLD):
        assert list(await connection.scalars(filtered(joined, query))) == [2]


async def test_the_hardest_query_that_is_taken_is_planned_and_run(connection: AsyncConnection) -> None:
    deep = ".".join("abcdefghi")
    asked = [
        ",".join(f"metric.m{i}:~>{i}" for i in range(50)),
        ",".join(f"declarations.{deep}:~{i}" for i in range(50)),
        "id:" + "|".join(str(i) for i in range(3_000)),
    ]
    sort = parse_sort(
        ",".join([*(f"metric.m{i}" for i in range(5)), *(f"declarations.{deep}{i}" for i in range(5))])
    )
    async with stored(connection, WORLD):
        for query in asked:
            assert await found(connection, parse_query(query), sort) == [1, 2, 3]


async def test_a_rare_value_of_a_metric_is_found_by_an_index_however_often_others_were_asked_for(
    connection: AsyncConnection,
) -> None:
    newest = datetime.now(UTC)
    common = {"project_id": 1, "user_id": 1, "status": "running"}
    experiments = [
        common | {"id": id, "outputs_uuid": str(id), "updated_at": newest - timedelta(minutes=id)}
        for id in range(1, 3_001)
    ]
    metrics = [
        {"experiment_id": id, "key": "loss", "value": id, "created_at": newest, "metric_id": 1}
        for id in range(1, 3_001)
    ]
    await connection.execute(insert(Experiment), experiments)
    await connection.execute(insert(LastMetric), metrics)
    await connection.execute(text("ANALYZE experiments, last_metrics"))
    base = select(Experiment.id).where(Experiment.project_id == 1, Experiment.deleted_at.is_(None))

    async def lookups(query: str) -> int:
        """How many experiments' values the search looked up one by one."""
        statement = ordered(filtered(base, parse_query(query)), parse_sort("-updated_at")).limit(100)
        scans = select(func.pg_stat_get_xact_numscans(func.to_regclass("pk_last_metrics")))
        before = await connection.scalar(scans)
        await connection.execute(statement)
        return (await connection.scalar(scans) or 0) - (before or 0)

    for _ in range(10):
        assert await lookups("metric.loss:>10") >= 100
    # Planning itself takes a few, to learn a column's extremes.
    assert await lookups("metric.loss:<10") < 10
