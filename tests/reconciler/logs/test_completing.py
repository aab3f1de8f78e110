"""A log is complete once its owner is done and every line of every attempt is stored."""

import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.db.notify import Channel
from app.domain.lifecycle import Status
from app.reconciler.logs import completing
from tests.log_world import LoggedRun, LogWorld, until


async def open_cursors(world: LogWorld) -> int:
    async with transaction(world.sessions) as session:
        return int((await session.execute(text("SELECT count(*) FROM log_cursors"))).scalar_one())


async def test_a_done_experiment_whose_logs_ended_is_collected(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.say("last line")
    async with world.collecting():
        await world.finish(run)
        await until(lambda: world.collected(run))
    assert await world.lines(run) == ["last line"]
    assert (await world.stream(run)).complete
    assert await open_cursors(world) == 0


async def test_not_while_a_job_of_it_still_prints(world: LogWorld) -> None:
    run, other = await world.experiment("master", "worker"), await world.experiment()
    async with world.collecting():
        await world.move(run, Status.FAILED)
        run.logs[0].end()
        await world.finish(other)
        await until(lambda: world.collected(other))
        assert not await world.collected(run)
        run.logs[1].say("stopping")
        run.logs[1].end()
        await until(lambda: world.collected(run))
    assert await world.lines(run) == ["stopping"]


async def test_not_before_it_is_done_though_its_logs_ended(world: LogWorld) -> None:
    run, other = await world.experiment(), await world.experiment()
    run.log.end()
    async with world.collecting():
        await world.finish(other)
        await until(lambda: world.collected(other))
        assert not await world.collected(run)
        await world.move(run, Status.SUCCEEDED)
        await until(lambda: world.collected(run))


async def test_what_was_never_launched_is_collected_at_once(world: LogWorld) -> None:
    runs = [await world.experiment(tracked=True), await world.experiment(launched=False)]
    async with world.collecting():
        for run in runs:
            await world.move(run, Status.STOPPED)
            await until(lambda run=run: world.collected(run))  # type: ignore[misc]
            assert await world.stream(run) is None


async def test_a_build_is_collected_like_an_experiment(world: LogWorld) -> None:
    build = await world.build()
    build.log.say("step 1")
    async with world.collecting():
        await world.finish(build)
        await until(lambda: world.collected(build))
    assert await world.lines(build) == ["step 1"]


async def test_it_is_announced_to_readers(world: LogWorld) -> None:
    run = await world.experiment(tracked=True)
    with world.listener.subscribe(Channel.LOG, run.owner.key) as news:
        async with world.collecting():
            await world.move(run, Status.SUCCEEDED)
            assert await news.wait(60)


async def test_it_is_announced_to_the_loop_which_may_remove_what_is_left(world: LogWorld) -> None:
    run = await world.experiment()
    async with world.collecting():
        await world.move(run, Status.SUCCEEDED)
        with world.listener.subscribe(Channel.WORK) as news:
            while await news.wait(0.5):  # what the move announced
                pass
            run.log.end()
            assert await news.wait(60)


async def test_nothing_is_stored_after_it_is_complete(world: LogWorld) -> None:
    run = await world.experiment()
    run.log.say("in time")
    async with world.collecting():
        await world.finish(run)
        await until(lambda: world.collected(run))
    run.log.say("too late")
    async with world.collecting():
        await until(lambda: world.sealed(run))
    assert await world.lines(run) == ["in time"]


async def test_many_at_once_are_all_found(world: LogWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "AT_ONCE", 2)
    runs: list[LoggedRun] = [await world.experiment(tracked=True) for _ in range(5)]
    for run in runs:
        await world.move(run, Status.FAILED)
    async with world.collecting():
        for run in runs:
            await until(lambda run=run: world.collected(run))  # type: ignore[misc]
