"""Followers share one reading of the log; none holds up another, and nothing is left of those that leave."""

import asyncio
from typing import Any

import httpx
import pytest

from app.services.logs import streaming, tail
from tests.live import Live
from tests.log_readers import open_raw, reading, unchunk
from tests.log_world import LogWorld, until


class TestSharing:
    """Followers share one reading of the log, and hold nothing while they wait."""

    async def test_one_reading_for_all_followers(
        self, world: LogWorld, live: Live, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads = 0
        store = live.service.logs.store
        find = store.find_chunks

        async def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal reads
            reads += 1
            return await find(*args, **kwargs)

        run = await world.experiment()
        readers = [reading(ada, f"{run.path}/logs", follow="true") for _ in range(20)]
        opened = [await reader.__aenter__() for reader in readers]
        monkeypatch.setattr(store, "find_chunks", counted)
        for number in range(5):
            run.log.say(f"line {number}")
            for reader in opened:
                await reader.until(b"line %d\n" % number)
        assert reads <= 12
        assert live.service.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        for context in readers:
            await context.__aexit__(None, None, None)

    async def test_a_reader_that_falls_behind_reads_the_store_and_misses_nothing(
        self, world: LogWorld, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tail, "KEPT_TEXT", 1000)
        run = await world.experiment()
        async with reading(ada, f"{run.path}/logs", follow="true") as reader:
            for part in range(10):
                run.log.say(*(f"{part} {n} " + "x" * 50 for n in range(100)))
                await asyncio.sleep(0.03)
            await world.finish(run)
            lines = (await reader.end()).decode().splitlines()
        expected = [f"{part} {n}" for part in range(10) for n in range(100)]
        assert [line.rsplit(" ", 1)[0] for line in lines] == expected

    async def test_who_is_behind_when_the_log_is_sealed_reads_on_in_the_object(
        self, world: LogWorld, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tail, "PACE", 1.0)
        run = await world.experiment()
        run.log.say("one")
        async with reading(ada, f"{run.path}/logs", follow="true") as reader:
            await reader.until(b"one")
            run.log.say("two")
            await world.finish(run)
            await until(lambda: world.sealed(run))
            assert await reader.end() == b"one\ntwo\n"

    async def test_nothing_is_left_of_clients_that_disconnect(
        self, world: LogWorld, live: Live, token: str
    ) -> None:
        run, done = await world.experiment(), await world.experiment()
        done.log.say(*("x" * 1000 for _ in range(20_000)))
        await world.finish(done)
        await until(lambda: world.sealed(done))
        before = len(asyncio.all_tasks())
        for number in range(60):
            path = done.path if number % 2 else run.path
            reader, writer = await open_raw(live.port, f"{path}/logs?follow=true", token)
            await reader.readline()
            writer.transport.abort()

        async def nothing() -> bool:
            hub = live.service.logs
            return not hub._followed and not hub.guards._by_token and not hub.store.opened._shared

        await until(nothing)
        assert live.service.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

        async def no_task() -> bool:
            return len(asyncio.all_tasks()) <= before

        await until(no_task)


class TestAStalledReader:
    """It holds up nobody, its memory is let go, and it gets everything when it reads on."""

    async def test_it_gets_every_line_once_it_reads_on(
        self, world: LogWorld, live: Live, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(streaming, "STALLED", 0.05)
        run = await world.experiment()
        run.log.say(*(f"{number} " + "x" * 1000 for number in range(15_000)))

        async def there() -> bool:
            stream = await world.stream(run)
            return stream is not None and stream.next_seq == 15_000

        await until(there)
        reader, writer = await open_raw(live.port, f"{run.path}/logs?follow=true", token)
        await reader.readline()
        await asyncio.sleep(0.3)  # the server's buffers are full, and what waits behind them is dropped
        await world.finish(run)
        await until(lambda: world.sealed(run))
        data = await reader.read()
        writer.close()
        numbers = [line.split(b" ")[0] for line in unchunk(data).splitlines()]
        assert numbers == [b"%d" % number for number in range(15_000)]

    async def test_others_go_on(
        self, world: LogWorld, live: Live, ada: httpx.AsyncClient, token: str
    ) -> None:
        run = await world.experiment()
        path = f"{run.path}/logs?follow=true"
        stalled = [(await open_raw(live.port, path, token))[1] for _ in range(5)]
        async with reading(ada, f"{run.path}/logs", follow="true") as reader:
            for part in range(20):
                run.log.say(*(f"{part} {n} " + "x" * 1000 for n in range(500)))
                await reader.until(b"%d 499 x" % part)
            await world.finish(run)
            assert len((await reader.end()).splitlines()) == 10_000
        for writer in stalled:
            writer.transport.abort()
