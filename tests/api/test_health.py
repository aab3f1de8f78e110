"""Alive, ready and measured."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.migrations import wanted_revision

AtRevision = Callable[[str, str | None], Awaitable[None]]
SET_REVISION = text("UPDATE alembic_version SET version_num = :revision")
SAY_OLDEST = text("INSERT INTO schema_support (revision, oldest) VALUES (:revision, :oldest)")


@pytest.fixture
async def at_revision(engine: AsyncEngine) -> AsyncIterator[AtRevision]:
    """Says that the schema is at a revision, and from which on releases run on it."""

    async def put(revision: str, oldest: str | None) -> None:
        async with engine.begin() as connection:
            await connection.execute(SET_REVISION, {"revision": revision})
            if oldest:
                await connection.execute(SAY_OLDEST, {"revision": revision, "oldest": oldest})

    yield put
    await put(wanted_revision(), None)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM schema_support WHERE revision = 'other'"))


async def test_alive_needs_no_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_without_a_reconciler_is_degraded_and_still_serves(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["reconciler"].startswith("away")


async def test_ready_with_a_reconciler_that_was_just_seen(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO heartbeats (name) VALUES ('reconciler')"))
    answer = await client.get("/readyz")
    assert answer.json()["status"] == "ready"


@pytest.mark.parametrize(
    ("revision", "oldest", "status", "words"),
    [
        pytest.param("0001", None, 503, "run `bunsen migrate`", id="an older schema"),
        pytest.param("other", None, 503, "made by a newer version", id="a newer one that says nothing"),
        pytest.param("other", "another", 503, "made by a newer version", id="a newer one without us"),
        pytest.param("other", "0001", 200, None, id="the next release's, on which this one runs"),
    ],
)
async def test_ready_on_a_schema_on_which_this_release_runs(
    client: httpx.AsyncClient,
    at_revision: AtRevision,
    revision: str,
    oldest: str | None,
    status: int,
    words: str | None,
) -> None:
    await at_revision(revision, oldest)
    answer = await client.get("/readyz")
    assert answer.status_code == status
    if words:
        assert words in answer.json()["detail"]
        assert answer.headers["Retry-After"] == "1"


async def test_on_a_database_without_our_tables_calls_say_that_it_is_to_be_migrated(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO others"))
    try:
        called = await client.get("/api/v1/users", headers={"Authorization": "token of nobody"})
        logged_in = await client.post("/api/v1/users/token", json={"username": "ada", "password": "secret"})
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE others RENAME TO users"))
    for answer in (called, logged_in):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "bunsen migrate" in answer.json()["detail"]


async def test_service_metrics_name_routes_not_users(client: httpx.AsyncClient) -> None:
    await client.get("/healthz")
    answer = await client.get("/metrics")
    assert 'route="/healthz"' in answer.text


async def test_an_unknown_path_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_405_lists_every_method(client: httpx.AsyncClient) -> None:
    answer = await client.post("/healthz")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
