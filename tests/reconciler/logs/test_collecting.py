"""What jobs print is stored: every line once, in its job's order, whatever dies in between."""

import asyncio
import contextlib
import random

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import transaction
from app.db.notify import Channel
from app.domain.logs.cri import CUT_NOTE
from app.reconciler.logs import collecting
from tests.log_jobs import BEGIN
from tests.log_world import LogWorld, stored, until


async def test_a_printed_line_is_stored_with_its_time_stream_and_job(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        run.log.say("hello", at=BEGIN)
        run.log.say("oh", stream="stderr")
        assert await stored(world, run, 2) == ["hello", "oh"]
    [_, *_] = blocks = await world.blocks(run)
    assert blocks[0][1].line_times()[0] == b"2026-11-24T03:00:00.000000"
    assert b"".join(block.kinds for _, block in blocks) == b"oe"
    assert {block.jobs for _, block in blocks} == {(run.job,)}


async def test_no_line_waits_for_long_because_a_look_took_long(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look may have waited for a disk."""
    monkeypatch.setattr(collecting, "LOOK_SHARE", 1e9)
    run = await world.experiment()
    async with world.collecting():
        run.log.say("hello")
        assert await stored(world, run, 1) == ["hello"]
        run.log.say("again")
        assert await stored(world, run, 2) == ["hello", "again"]


async def test_jobs_share_one_sequence_each_in_its_own_order(world: LogWorld) -> None:
    run = await world.experiment("master", "worker", "worker")
    async with world.collecting():
        for number in range(30):
            run.logs[number % 3].say(f"{number % 3} {number}")
            await asyncio.sleep(0)
        lines = await stored(world, run, 30)
    for job in range(3):
        assert [line for line in lines if line[0] == str(job)] == [f"{job} {n}" for n in range(job, 30, 3)]


async def test_attempts_go_on_in_the_same_sequence(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        run.log.say("first attempt")
        run.log.end()
        await stored(world, run, 1)
        await world.launch(run, attempt=2)
        run.log.say("second attempt")
        assert await stored(world, run, 2) == ["first attempt", "second attempt"]


async def test_a_builds_lines_have_a_sequence_of_their_own(world: LogWorld) -> None:
    build, run = await world.build(), await world.experiment()
    async with world.collecting():
        build.log.say("step 1")
        run.log.say("epoch 1")
        assert await stored(world, build, 1) == ["step 1"]
        assert await stored(world, run, 1) == ["epoch 1"]
    assert (await world.blocks(build))[0][1].jobs == (None,)


async def test_a_carriage_return_ends_a_line_before_a_newline_comes(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        run.log.part("10 %\r20 %\r30")
        assert await stored(world, run, 2) == ["10 %", "20 %"]


async def test_a_last_line_without_a_newline_is_stored_at_the_end(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.part("no newline")
    run.log.end()
    async with world.collecting():
        assert await stored(world, run, 1) == ["no newline"]


async def test_bad_utf8_and_nul_are_stored_and_a_10_mib_line_is_cut_at_one(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.write(run.log.entry(b"\xff\xfe bad") + run.log.entry(b"nul \x00 here"))
    for _ in range(640):
        run.log.write(run.log.entry(b"x" * 16 * 1024, tag="P"))
    run.log.say("", "after it")
    async with world.collecting():
        lines = await stored(world, run, 4)
    assert lines[:2] == ["\ufffd\ufffd bad", "nul \x00 here"]
    assert lines[2] == "x" * 1024 * 1024 + CUT_NOTE.decode()
    assert lines[3] == "after it"


async def test_a_line_that_was_half_read_when_the_collector_died_is_stored_whole(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.say("whole")
    run.log.part("half ")
    async with world.collecting():
        await stored(world, run, 1)
    run.log.say("and half")
    async with world.collecting():
        assert await stored(world, run, 2) == ["whole", "half and half"]


async def test_of_a_line_without_an_end_the_position_is_stored_all_the_same(world: LogWorld) -> None:
    run = await world.experiment()
    for _ in range(300):
        run.log.write(run.log.entry(b"x" * 16 * 1024, tag="P"))

    async def advanced() -> bool:
        async with transaction(world.sessions) as session:
            query = text("SELECT position ->> 'offset' FROM log_cursors")
            offset = (await session.execute(query)).scalar_one()
        return int(offset or 0) > 3 * 1024 * 1024

    async with world.collecting():
        await until(advanced)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_collector_that_dies_at_any_moment_loses_and_doubles_nothing(
    world: LogWorld, seed: int
) -> None:
    chance = random.Random(seed)
    run = await world.experiment("master", "worker")
    said = [0, 0]
    for _ in range(12):
        async with world.collecting():
            for _ in range(chance.randrange(6)):
                job = chance.randrange(2)
                count = chance.choice([1, 3, 500, 3000])
                run.logs[job].say(*(f"{job} {said[job] + n}" for n in range(count)))
                said[job] += count
                await asyncio.sleep(chance.random() * 0.03)
    async with world.collecting():
        lines = await stored(world, run, sum(said))
    for job in range(2):
        mine = [line for line in lines if line.startswith(f"{job} ")]
        assert mine == [f"{job} {n}" for n in range(said[job])]


async def test_two_collectors_at_once_store_each_line_once(world: LogWorld) -> None:
    runs = [await world.experiment("master", "worker") for _ in range(3)]
    async with world.collecting(), world.collecting():
        for round_ in range(20):
            for run in runs:
                for job, log in enumerate(run.logs):
                    log.say(*(f"{job} {round_ * 50 + n}" for n in range(50)))
            await asyncio.sleep(0.02)
        for run in runs:
            lines = await stored(world, run, 2000)
            for job in range(2):
                assert [line for line in lines if line[0] == str(job)] == [f"{job} {n}" for n in range(1000)]


async def test_database_connections_that_break_lose_and_double_nothing(
    world: LogWorld, engine: AsyncEngine
) -> None:
    run = await world.experiment()
    kill = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with world.collecting():
        for round_ in range(15):
            run.log.say(*(str(round_ * 100 + n) for n in range(100)))
            if round_ % 5 == 4:
                with contextlib.suppress(Exception):
                    async with engine.connect() as connection:
                        await connection.execute(kill)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Exception):
                    if len(await world.lines(run)) >= 1500:
                        break
                await asyncio.sleep(0.05)
    assert await world.lines(run) == [str(n) for n in range(1500)]


async def test_a_slow_log_is_no_row_a_line(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        for number in range(70):
            run.log.say(str(number))
            await stored(world, run, number + 1)
    assert await world.lines(run) == [str(n) for n in range(70)]
    assert await world.count_chunks(run) < 64


async def test_large_output_is_stored_in_chunks_of_a_quarter_mib(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.say(*(f"{n} " + "x" * 90 for n in range(20_000)))
    async with world.collecting():
        await stored(world, run, 20_000)
    sizes = [len(block.text) for _, block in await world.blocks(run)]
    assert max(sizes) <= 256 * 1024
    assert len(sizes) < 20


async def test_idle_jobs_are_not_read(world: LogWorld) -> None:
    run = await world.experiment(*(["master"] + ["worker"] * 49))
    busy = await world.experiment()
    async with world.collecting():
        for number in range(5):
            busy.log.say(str(number))
            await stored(world, busy, number + 1)
    assert await world.lines(run) == []
    assert world.sources.reads <= 10


async def test_each_store_is_announced_to_readers(world: LogWorld) -> None:
    run = await world.experiment()
    with world.listener.subscribe(Channel.LOG, run.owner.key) as news:
        async with world.collecting():
            run.log.say("new")
            await stored(world, run, 1)
            assert await news.wait(60)


async def test_a_job_that_the_launcher_tells_of_is_looked_at_at_once(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However seldom the logs of silent jobs are looked at."""
    run = await world.experiment()
    for pause in ("POLL", "QUIET_POLL", "TICK"):
        monkeypatch.setattr(collecting, pause, 3600.0)

    async def looked() -> bool:
        return world.sources.looks > 0

    async with world.collecting():
        await until(looked)
        run.log.say("begun")
        world.sources.hints.put_nowait(run.log.ref)
        assert await stored(world, run, 1) == ["begun"]
