"""Sources that are late, broken, gone or lossy: each is dealt with, and none holds up another."""

import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.domain.lifecycle import Status
from app.domain.logs.blocks import GAP
from app.domain.runs import JobRef
from app.launchers.base import LogBytes, LogPosition
from tests.log_jobs import BEGIN, LogJobs
from tests.log_world import LogWorld, stored, until


async def test_what_is_stored_is_let_go_at_its_source_and_what_is_not_stays(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.say("one")
    run.log.roll()
    run.log.say("two")
    assert run.log.segments() == ["log.1", "log.2"]

    async def trimmed() -> bool:
        return run.log.segments() == ["log.2"]

    async with world.collecting():
        await until(trimmed)
        assert await stored(world, run, 2) == ["one", "two"]


async def test_a_log_that_cannot_be_read_holds_up_no_other_and_is_tried_again(world: LogWorld) -> None:
    bad, good = await world.experiment(), await world.experiment()
    world.sources.broken.add(bad.log.ref)
    async with world.collecting():
        bad.log.say("unreadable")
        good.log.say("fine")
        assert await stored(world, good, 1) == ["fine"]
        assert await world.lines(bad) == []
        world.sources.broken.clear()
        assert await stored(world, bad, 1) == ["unreadable"]


async def test_an_unexpected_error_is_told_and_tried_again(
    world: LogWorld, caplog: pytest.LogCaptureFixture
) -> None:
    class Surprising(LogJobs):
        failed = False

        async def read_log(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
            if not self.failed:
                self.failed = True
                raise ValueError("a surprise")
            return await super().read_log(ref, position, limit)

    run = await world.experiment()
    run.log.say("once")
    async with world.collecting(launcher=Surprising(world.sources.folder)):
        assert await stored(world, run, 1) == ["once"]
    assert "a surprise" in caplog.text


async def test_lines_that_a_launcher_lost_are_a_gap_with_a_number_of_its_own(world: LogWorld) -> None:
    class Losing(LogJobs):
        async def read_log(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
            read = await super().read_log(ref, position, limit)
            lost = (BEGIN, BEGIN) if position == LogPosition() and read.data else None
            return LogBytes(read.data, read.start, read.end, read.eof, lost)

    run = await world.experiment()
    run.log.say("after the gap")
    async with world.collecting(launcher=Losing(world.sources.folder)):
        lines = await stored(world, run, 2)
    assert lines[0].startswith("[gap: lines between 2026-11-24T03:00:00.000000+00:00 and")
    assert lines[1] == "after the gap"
    [(_, block)] = await world.blocks(run)
    assert (block.kinds[0], len(block.gaps)) == (GAP, 1)


async def test_a_log_that_was_opened_unannounced_is_found(world: LogWorld) -> None:
    async with world.collecting():
        run = await world.experiment(launched=False)
        async with transaction(world.sessions) as session:
            await session.execute(
                text(
                    "WITH s AS (INSERT INTO log_streams (experiment_id, next_seq, complete) "
                    "VALUES (:id, 0, false) RETURNING id) "
                    "INSERT INTO log_cursors (ref, stream_id, job_id, position, parser, eof) "
                    "SELECT :ref, s.id, :job, '{}', '', false FROM s"
                ),
                {"id": run.id, "ref": f"{run.uuids[0]}-1", "job": run.job},
            )
        run.logs.append(world.sources.start(JobRef(run.uuids[0], 1)))
        run.log.say("found")
        assert await stored(world, run, 1) == ["found"]


async def test_the_log_of_a_deleted_experiment_is_dropped(world: LogWorld) -> None:
    gone, run = await world.experiment(), await world.experiment()
    async with world.collecting():
        gone.log.say("here")
        await stored(world, gone, 1)
        async with transaction(world.sessions) as session:
            await session.execute(text("DELETE FROM experiments WHERE id = :id"), {"id": gone.id})
        gone.log.say("nobody's")
        run.log.say("mine")
        assert await stored(world, run, 1) == ["mine"]
    assert await world.stream(gone) is None


async def test_an_attempt_that_never_started_holds_up_nothing_once_it_is_over(world: LogWorld) -> None:
    run = await world.experiment(launched=False)
    await world.launch(run, start=False)
    async with world.collecting():
        await world.move(run, Status.STOPPED)
        await until(lambda: world.collected(run))


async def test_an_attempt_that_is_not_over_yet_stays_open_though_its_launcher_knows_nothing_of_it(
    world: LogWorld,
) -> None:
    run = await world.experiment(launched=False)
    await world.launch(run, start=False)
    other = await world.experiment(launched=False)
    await world.launch(other, start=False)
    async with world.collecting():
        await world.move(other, Status.STOPPED)
        await until(lambda: world.collected(other))
        run.logs.append(world.sources.start(JobRef(run.uuids[0], 1)))
        run.log.say("late")
        assert await stored(world, run, 1) == ["late"]


async def test_an_earlier_attempt_that_is_gone_holds_up_nothing(world: LogWorld) -> None:
    run = await world.experiment(launched=False)
    await world.launch(run, start=False)
    await world.launch(run, attempt=2)
    async with transaction(world.sessions) as session:
        await session.execute(text("UPDATE jobs SET attempt = 2"))
    run.log.say("second")
    async with world.collecting():
        await stored(world, run, 1)
        await world.finish(run)
        await until(lambda: world.collected(run))
