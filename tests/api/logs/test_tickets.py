"""Tickets: what a browser's EventSource and WebSocket send in place of a header."""

import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, text

from app.db.engine import transaction
from app.db.notify import Channel, announce
from app.db.tables import Ticket
from app.services.tokens import hash_token
from tests.live import Live
from tests.log_readers import reading, sse
from tests.log_world import LogWorld


@pytest.fixture
async def anyone(live: Live) -> httpx.AsyncClient:
    return live.client()


async def test_a_ticket_opens_its_stream_in_every_form(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    made = await ada.post(f"{run.path}/logs/ticket")
    assert made.status_code == 201
    assert set(made.json()) == {"ticket", "expires_at", "url"}
    params = {"ticket": made.json()["ticket"]}
    for _ in range(2):  # good for reconnects
        for suffix in ("", "/", "/lines", "/events"):
            assert (await anyone.get(f"{run.path}/logs{suffix}", params=params)).status_code == 200


async def test_its_url_is_the_stream_for_an_eventsource(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    url = (await ada.post(f"{run.path}/logs/ticket")).json()["url"]
    run.log.say("hello")
    async with reading(anyone, url) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        await reader.until(b"hello")
        await world.finish(run)
        assert [event["event"] for _, event in sse(await reader.end())] == ["line", "end"]


async def test_it_lives_for_12_hours(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    expires = datetime.fromisoformat((await ada.post(f"{run.path}/logs/ticket")).json()["expires_at"])
    assert abs(expires - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=1)


async def test_a_jobs_ticket_opens_that_jobs_stream_alone(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    run, other = await world.experiment("master", "worker"), await world.experiment()
    ticket = (await ada.post(f"{run.path}/jobs/{run.jobs[1]}/logs/ticket")).json()["ticket"]
    opened = await anyone.get(f"{run.path}/jobs/{run.jobs[1]}/logs", params={"ticket": ticket})
    assert opened.status_code == 200
    closed = [
        f"{run.path}/logs",
        f"{run.path}/jobs/{run.jobs[0]}/logs",
        f"{other.path}/logs",
        f"{run.path}",
        "/ada/lab/experiments",
    ]
    for path in closed:
        assert (await anyone.get(path, params={"ticket": ticket})).status_code == 401, path


async def test_an_experiments_ticket_opens_no_other(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    run, build = await world.experiment(), await world.build()
    ticket = (await ada.post(f"{run.path}/logs/ticket")).json()["ticket"]
    for path in (f"{run.path}/jobs/{run.job}/logs", f"{build.path}/logs"):
        assert (await anyone.get(path, params={"ticket": ticket})).status_code == 401
    assert (await anyone.post(f"{run.path}/logs", params={"ticket": ticket})).status_code == 401


@pytest.mark.parametrize("ticket", ["", "x", "0" * 40, "\ud800", "x" * 300])
async def test_what_is_no_ticket_opens_nothing(
    world: LogWorld, anyone: httpx.AsyncClient, ticket: str
) -> None:
    run = await world.experiment()
    quoted = "".join(f"%{byte:02X}" for byte in ticket.encode(errors="surrogatepass"))
    answer = await anyone.get(f"{run.path}/logs?ticket={quoted}")
    assert answer.status_code in {400, 401}


async def test_a_token_wins_over_a_ticket(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    assert (await ada.get(f"{run.path}/logs", params={"ticket": "nonsense"})).status_code == 200


async def test_it_dies_with_the_token_that_made_it(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient, token: str
) -> None:
    run = await world.experiment()
    params = {"ticket": (await ada.post(f"{run.path}/logs/ticket")).json()["ticket"]}
    async with transaction(world.sessions) as session:
        await session.execute(text("DELETE FROM tokens"))
    assert (await anyone.get(f"{run.path}/logs", params=params)).status_code == 401


async def test_its_open_streams_are_cut_with_that_token(
    world: LogWorld, ada: httpx.AsyncClient, live: Live, anyone: httpx.AsyncClient, token: str
) -> None:
    run = await world.experiment()
    url = (await ada.post(f"{run.path}/logs/ticket")).json()["url"]
    async with reading(anyone, url) as reader:
        assert list(live.service.logs.guards._by_token) == [hash_token(token)]
        async with transaction(world.sessions) as session:
            await session.execute(text("DELETE FROM tokens"))
            announce(session, Channel.TOKEN, hash_token(token).hex())
        await reader.end(2)
        assert reader.cut


async def test_it_expires_and_is_swept_away(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    params = {"ticket": (await ada.post(f"{run.path}/logs/ticket")).json()["ticket"]}
    async with transaction(world.sessions) as session:
        await session.execute(text("UPDATE tickets SET expires_at = now() - interval '1 second'"))
    assert (await anyone.get(f"{run.path}/logs", params=params)).status_code == 401
    await ada.post(f"{run.path}/logs/ticket")
    async with transaction(world.sessions) as session:
        assert len((await session.execute(select(Ticket.hash))).all()) == 1


async def test_it_is_stored_hashed_and_left_out_of_access_logs(
    world: LogWorld, ada: httpx.AsyncClient, anyone: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run = await world.experiment()
    ticket = (await ada.post(f"{run.path}/logs/ticket")).json()["ticket"]
    await anyone.get(f"{run.path}/logs", params={"ticket": ticket})
    # The client's own; and uvicorn's access log, which is off where there is no test that listens.
    others = ("http", "asyncio", "uvicorn.access")
    ours = [record for record in caplog.records if not record.name.startswith(others)]
    assert any("/logs" in record.getMessage() for record in ours)
    assert not any(ticket in record.getMessage() for record in ours)
    async with transaction(world.sessions) as session:
        row = (await session.execute(select(Ticket))).scalar_one()
    assert row.hash == hash_token(ticket)
    assert ticket not in str(vars(row))


async def test_who_may_not_see_the_log_gets_no_ticket(
    world: LogWorld, ada: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    run, other = await world.experiment(), await world.experiment()
    assert (await bob.post(f"{run.path}/logs/ticket")).status_code == 404
    assert (await ada.post(f"{run.path}/jobs/{other.job}/logs/ticket")).status_code == 404
    assert (await ada.post(f"/ada/lab/experiments/{10**30}/logs/ticket")).status_code == 404
    assert (await ada.post(f"{run.path}/logs/ticket", headers={"Authorization": ""})).status_code == 401


async def test_who_may_not_see_it_any_more_is_refused_with_a_ticket_too(
    world: LogWorld, bob: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    async with transaction(world.sessions) as session:
        await session.execute(text("UPDATE projects SET is_public = true"))
    params = {"ticket": (await bob.post(f"{run.path}/logs/ticket")).json()["ticket"]}
    async with transaction(world.sessions) as session:
        await session.execute(text("UPDATE projects SET is_public = false"))
    assert (await anyone.get(f"{run.path}/logs", params=params)).status_code == 404
