"""Alive, ready and measured."""

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


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


async def test_not_ready_when_the_schema_is_another_releases(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'other'"))
    try:
        answer = await client.get("/readyz")
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert answer.status_code == 503
    assert "bunsen migrate" in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "1"


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
    assert answer.headers["Allow"] == "GET"
