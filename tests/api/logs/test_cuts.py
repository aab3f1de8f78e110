"""What the server cuts breaks the transfer without its last chunk, and sends no `end`."""

import asyncio
import contextlib
import time

import httpx
import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.db.notify import Channel, announce
from app.services.logs import guards, streaming, tail
from app.services.tokens import hash_token
from app.settings import Settings
from tests.live import Live, serving
from tests.log_readers import Reader, is_cut, open_raw, reading, sse
from tests.log_world import LogWorld, large_and_sealed, until

FORMS = ["text", "ndjson", "sse"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_shutdown_cuts_every_stream(
    world: LogWorld, settings: Settings, token: str, form: str
) -> None:
    run = await world.experiment()
    run.log.say("one")
    async with (
        serving(settings) as live,
        live.client(token) as ada,
        reading(ada, f"{run.path}/logs", follow="true", format=form) as reader,
    ):
        await reader.until(b"one")
        live.server.should_exit = True
        await is_cut(reader)


async def test_a_shutdown_does_not_wait_for_a_stalled_reader(
    world: LogWorld, settings: Settings, token: str
) -> None:
    run = await large_and_sealed(world)
    async with serving(settings) as live:
        reader, writer = await open_raw(live.port, f"{run.path}/logs", token)
        await reader.readline()
        began = time.monotonic()
    assert time.monotonic() - began < 5
    writer.transport.abort()


async def test_a_stream_that_begins_while_the_service_closes_is_503(
    world: LogWorld, live: Live, ada: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    live.service.logs.guards.cut_all()
    answer = await ada.get(f"{run.path}/logs", params={"follow": "true"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def revoke(world: LogWorld, token: str, *, say: bool = True) -> None:
    async with transaction(world.sessions) as session:
        await session.execute(text("DELETE FROM tokens WHERE hash = :hash"), {"hash": hash_token(token)})
        if say:
            announce(session, Channel.TOKEN, hash_token(token).hex())


@pytest.mark.parametrize("form", FORMS)
async def test_a_revoked_token_cuts_its_streams_within_a_second(
    world: LogWorld, ada: httpx.AsyncClient, token: str, form: str
) -> None:
    run = await world.experiment()
    run.log.say("one")
    async with reading(ada, f"{run.path}/logs", follow="true", format=form) as reader:
        await reader.until(b"one")
        await revoke(world, token)
        await is_cut(reader, 1.0)


async def test_a_revoked_token_cuts_a_reader_that_stalls(world: LogWorld, live: Live, token: str) -> None:
    run = await large_and_sealed(world)
    reader, writer = await open_raw(live.port, f"{run.path}/logs", token)
    await reader.readline()
    assert live.service.logs.guards._by_token
    await revoke(world, token)

    async def let_go() -> bool:
        return not live.service.logs.guards._by_token and not live.service.logs.store.opened._shared

    await until(let_go, 2)
    assert not (await reader.read()).endswith(b"\r\n0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("how", ["token", "user", "expiry"])
async def test_a_token_that_died_unannounced_is_found_by_looking(
    world: LogWorld, ada: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    run = await world.experiment()
    async with reading(ada, f"{run.path}/logs", follow="true") as reader:
        if how == "token":
            await revoke(world, token, say=False)
        else:
            statement = {
                "user": "UPDATE users SET is_active = false",
                "expiry": "UPDATE tokens SET expires_at = now() - interval '1 second'",
            }[how]
            async with transaction(world.sessions) as session:
                await session.execute(text(statement))
        monkeypatch.setattr(guards, "CHECK", 0.05)
        async with transaction(world.sessions) as session:
            announce(session, Channel.TOKEN, "00" * 32)  # wakes who waits for longer
        await is_cut(reader)


async def test_tokens_that_cannot_be_looked_up_now_are_looked_up_later(
    world: LogWorld, ada: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "CHECK", 0.05)
    run = await world.experiment()
    async with reading(ada, f"{run.path}/logs", follow="true") as reader:
        async with transaction(world.sessions) as session:
            announce(session, Channel.TOKEN, "00" * 32)  # wakes who waits for longer
            await session.execute(text("ALTER TABLE tokens RENAME TO elsewhere"))
        await asyncio.sleep(0.2)
        run.log.say("still here")
        await reader.until(b"still here")
        async with transaction(world.sessions) as session:
            await session.execute(text("ALTER TABLE elsewhere RENAME TO tokens"))
            await session.execute(text("DELETE FROM tokens"))
        await is_cut(reader)


async def test_other_tokens_streams_go_on(
    world: LogWorld, live: Live, ada: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    async with transaction(world.sessions) as session:
        await session.execute(text("UPDATE projects SET is_public = true"))
    token = bob.headers["authorization"].split(" ")[1]
    async with (
        reading(ada, f"{run.path}/logs", follow="true") as stays,
        reading(bob, f"{run.path}/logs", follow="true") as goes,
    ):
        await revoke(world, token)
        await is_cut(goes)
        run.log.say("still here")
        await stays.until(b"still here")


async def test_a_deleted_experiment_cuts_its_followers(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    run.log.say("one")
    async with reading(ada, f"{run.path}/logs", follow="true") as reader:
        await reader.until(b"one")
        await world.delete(run)
        await is_cut(reader)


async def test_a_project_that_is_public_no_more_cuts_strangers(
    world: LogWorld, bob: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "TICK", 0.1)
    run = await world.experiment()
    async with transaction(world.sessions) as session:
        await session.execute(text("UPDATE projects SET is_public = true"))
    async with reading(bob, f"{run.path}/logs", follow="true") as reader:
        async with transaction(world.sessions) as session:
            await session.execute(text("UPDATE projects SET is_public = false"))
        await is_cut(reader)


async def test_without_a_database_a_plain_call_gives_up_in_the_end(
    world: LogWorld, live: Live, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(streaming, "PATIENCE", 0.3)
    run = await world.experiment()
    run.log.say("one")

    async def there() -> bool:
        return await world.lines(run) == ["one"]

    await until(there)
    monkeypatch.setattr(live.service.logs.store, "find_chunks", away)
    async with reading(ada, f"{run.path}/logs") as reader:
        await is_cut(reader)


async def test_who_reconnects_at_the_next_seq_gets_every_line_once(
    world: LogWorld, settings: Settings, token: str
) -> None:
    """Over its own cuts, and over two restarts of the service, as an EventSource does it."""
    run = await world.experiment()
    seen: list[tuple[int, str]] = []
    ended = asyncio.Event()

    async def print_all() -> None:
        for part in range(30):
            run.log.say(*(f"{part * 20 + n}" for n in range(20)))
            await asyncio.sleep(0.05)
        await world.finish(run)

    async def follow_on(live: Live) -> None:
        async with live.client(token) as ada:
            while not ended.is_set():
                headers = {"Last-Event-ID": str(seen[-1][0])} if seen else {}
                path = f"{run.path}/logs/events?follow=true"
                async with ada.stream("GET", path, headers=headers) as response:
                    if response.status_code == 204:  # it had all, but for the end
                        ended.set()
                    if response.status_code != 200:
                        return
                    reader = Reader(response)
                    await asyncio.wait([reader._task], timeout=0.2)
                    await reader.close()
                events = sse(reader.data[: reader.data.rfind(b"\n\n") + 2])
                seen.extend((seq, event["text"]) for seq, event in events if event["event"] == "line")
                if any(event["event"] == "end" for _, event in events):
                    ended.set()
                elif reader.cut:
                    return

    printing = asyncio.create_task(print_all())
    for _ in range(3):
        async with serving(settings) as live:
            following = asyncio.create_task(follow_on(live))
            await asyncio.wait([following], timeout=0.7 if len(seen) < 400 else 20)
            live.server.should_exit = True
            with contextlib.suppress(httpx.TransportError):  # it tried again while there was no server
                await following
    await printing
    if not ended.is_set():
        async with serving(settings) as live:
            await follow_on(live)
    assert seen == [(number, str(number)) for number in range(600)]
