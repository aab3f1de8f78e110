"""A complete log becomes one object: durable first, then named as its chunks go."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.db.logs.completion import find_unsealed
from app.db.notify import Channel
from app.errors import InsufficientStorage
from app.reconciler.logs import sealing
from app.reconciler.logs.sealing import Sealing
from app.storage.files import parts
from app.storage.log_frames import DamagedLog
from app.storage.log_objects import LocalLogObjects, LogObjectWriter
from tests.log_world import LoggedRun, LogWorld, until


async def complete(world: LogWorld, *lines: str) -> LoggedRun:
    """An experiment that is complete and not sealed."""
    run = await world.experiment()
    run.log.say(*lines)
    async with world.collecting(objects=FullDisk(Path("/nowhere"))):
        await world.finish(run)
        await until(lambda: world.collected(run))
    return run


async def seal(world: LogWorld, objects: LocalLogObjects | None = None) -> None:
    """One try at every log that is due."""
    async with transaction(world.sessions) as session:
        rows = await find_unsealed(session, 0, 100)
    for row in rows:
        await Sealing(world.sessions, objects or world.objects).seal(row)


class FullDisk(LocalLogObjects):
    """A store without space."""

    def create(self, key: str) -> LogObjectWriter:
        raise InsufficientStorage("The log can't be stored: there is no space left on the service's disk.")


async def test_a_finished_log_becomes_one_object_and_its_chunks_go(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        for part in range(3):
            run.log.say(*(f"{part} {n}" for n in range(100)))
            await asyncio.sleep(0.06)
        await world.finish(run)
        await until(lambda: world.sealed(run))
    assert await world.count_chunks(run) == 0
    assert await world.lines(run) == [f"{part} {n}" for part in range(3) for n in range(100)]


async def test_an_empty_log_needs_no_object(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        await world.finish(run)
        await until(lambda: world.collected(run))
    await seal(world)
    assert not await world.sealed(run)


async def test_a_crash_before_the_object_is_named_leaves_it_to_the_next_try(world: LogWorld) -> None:
    run = await complete(world, "a", "b")
    with world.objects.create(run.uuid) as writer:
        [(seq, block)] = await world.blocks(run)
        async with transaction(world.sessions) as session:
            data = (await session.execute(text("SELECT data FROM log_chunks"))).scalar_one()
        writer.add(seq, data)
        writer.commit()
    assert block.count == 2
    assert not await world.sealed(run)
    await seal(world)
    assert await world.sealed(run)
    assert await world.lines(run) == ["a", "b"]


async def test_two_at_once_make_the_same_object(world: LogWorld) -> None:
    run = await complete(world, *(str(n) for n in range(5000)))
    await asyncio.gather(seal(world), seal(world), return_exceptions=True)
    assert await world.lines(run) == [str(n) for n in range(5000)]


async def test_one_that_comes_too_late_changes_nothing(world: LogWorld) -> None:
    run = await complete(world, "a")
    async with transaction(world.sessions) as session:
        [row] = await find_unsealed(session, 0, 100)
    await seal(world)
    with pytest.raises(DamagedLog):
        await Sealing(world.sessions, world.objects).seal(row)
    assert await world.lines(run) == ["a"]


async def test_without_space_the_chunks_stay_and_are_served_and_it_is_told(
    world: LogWorld, caplog: pytest.LogCaptureFixture
) -> None:
    async def told() -> bool:
        return "no space left" in caplog.text

    run = await world.experiment()
    run.log.say("kept")
    async with world.collecting(objects=FullDisk(Path("/nowhere"))):
        await world.finish(run)
        await until(told)
    with pytest.raises(InsufficientStorage):
        await seal(world, FullDisk(Path("/nowhere")))
    assert await world.lines(run) == ["kept"]


async def test_once_there_is_space_it_is_sealed_and_no_other_waited(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullForOne(LocalLogObjects):
        full = ""

        def create(self, key: str) -> LogObjectWriter:
            if key == self.full:
                raise InsufficientStorage("full")
            return super().create(key)

    monkeypatch.setattr(sealing, "RETRY", (0.05, 0.1))
    monkeypatch.setattr(sealing, "TICK", 0.05)
    first, second = await complete(world, "first"), await complete(world, "second")
    objects = FullForOne(world.objects._folder)
    objects.full = first.uuid
    async with world.collecting(objects=objects):
        await until(lambda: world.sealed(second))
        assert not await world.sealed(first)
        objects.full = ""
        await until(lambda: world.sealed(first))


async def test_an_experiment_that_is_deleted_meanwhile_leaves_no_object(world: LogWorld) -> None:
    run = await complete(world, "a")
    async with transaction(world.sessions) as session:
        [row] = await find_unsealed(session, 0, 100)
    await world.delete(run)
    await Sealing(world.sessions, world.objects).seal(row)
    assert not list(world.objects._folder.rglob("*.log"))
    async with transaction(world.sessions) as session:
        assert await find_unsealed(session, 0, 100) == []


async def test_lines_that_are_missing_in_the_database_are_told_not_sealed_over(world: LogWorld) -> None:
    run = await complete(world, "a")
    async with transaction(world.sessions) as session:
        await session.execute(text("DELETE FROM log_chunks"))
    with pytest.raises(DamagedLog):
        await seal(world)
    assert not await world.sealed(run)


async def test_many_chunks_are_deleted_range_by_range(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "DELETE_CHUNKS", 2)
    monkeypatch.setattr(sealing, "READ_CHUNKS", 1)
    run = await complete(world, *(f"{n} " + "x" * 300 for n in range(8000)))
    assert await world.count_chunks(run) > 6
    await seal(world)
    assert await world.count_chunks(run) == 0
    assert len(await world.lines(run)) == 8000


async def test_it_is_announced_to_readers(world: LogWorld) -> None:
    run = await complete(world, "a")
    with world.listener.subscribe(Channel.LOG, run.owner.key) as news:
        await seal(world)
        assert await news.wait(60)


async def test_many_logs_are_all_sealed_and_a_database_that_is_away_is_waited_for(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sealing, "AT_ONCE", 1)
    monkeypatch.setattr(sealing, "TICK", 0.05)
    runs = [await complete(world, str(number)) for number in range(3)]

    async def told() -> bool:
        return "finished logs can't be looked up now" in caplog.text

    async with transaction(world.sessions) as session:
        await session.execute(text("ALTER TABLE log_streams RENAME TO elsewhere"))
    async with world.collecting():
        await until(told)
        async with transaction(world.sessions) as session:
            await session.execute(text("ALTER TABLE elsewhere RENAME TO log_streams"))
        for run in runs:
            await until(lambda run=run: world.sealed(run))  # type: ignore[misc]


async def test_what_a_sealer_that_died_left_is_removed_by_the_next(world: LogWorld) -> None:
    with world.objects.create("ab" * 16) as writer:
        await seal(world)
        left = parts(world.objects._folder, "*/*")
        assert len(left) == 1

        async def gone() -> bool:
            return not left[0].exists()

        async with world.collecting():
            await until(gone)
        assert writer
