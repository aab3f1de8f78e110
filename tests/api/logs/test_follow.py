"""Following a log: it goes on until the experiment is done and its last line is stored."""

import httpx
import pytest
from sqlalchemy import text

from app.domain.lifecycle import Status
from app.services.logs import streaming, tail
from app.settings import Settings
from tests.live import Live, serving
from tests.log_readers import events, reading, sse
from tests.log_world import LogWorld, until


async def test_lines_come_as_they_are_stored_and_the_end_after_the_last(
    world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    run.log.say("one")
    async with reading(ada, f"{run.path}/logs/lines", follow="true") as reader:
        await reader.until(b'"one"')
        run.log.say("two")
        await reader.until(b'"two"')
        await world.move(run, Status.SUCCEEDED)
        run.log.say("after the status")
        run.log.end()
        lines = events(await reader.end())
    assert not reader.cut
    assert [line.get("text") for line in lines[:-1]] == ["one", "two", "after the status"]
    assert lines[-1] == {"event": "end", "status": "succeeded", "last_seq": 2}


async def test_it_waits_before_the_first_pod(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment(launched=False, status=Status.CREATED)
    async with reading(ada, f"{run.path}/logs", follow="true") as reader:
        assert reader.response.headers["content-type"] == "text/plain; charset=utf-8"
        await world.move(run, Status.RUNNING)
        await world.launch(run)
        run.log.say("first")
        await reader.until(b"first\n")
        await world.finish(run)
        assert await reader.end() == b"first\n"
    assert not reader.cut


async def test_what_never_printed_ends_when_it_is_stopped(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment(launched=False, status=Status.CREATED)
    async with reading(ada, f"{run.path}/logs/lines", follow="true") as reader:
        await world.move(run, Status.STOPPED)
        assert events(await reader.end()) == [{"event": "end", "status": "stopped", "last_seq": -1}]


async def test_it_ends_without_the_reconciler_when_all_is_stored(
    idle_world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await idle_world.experiment(tracked=True)
    async with reading(ada, f"{run.path}/logs/lines", follow="true") as reader:
        await idle_world.move(run, Status.FAILED)
        assert events(await reader.end())[-1]["status"] == "failed"


async def test_a_done_one_is_replayed_and_ends(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    run.log.say("one")
    await world.finish(run, Status.FAILED)
    await until(lambda: world.sealed(run))
    answer = await ada.get(f"{run.path}/logs/lines", params={"follow": "true"})
    assert [event["event"] for event in events(answer.content)] == ["line", "end"]


async def test_tail_comes_first_then_follow(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    run.log.say(*map(str, range(10)))

    async def there() -> bool:
        return len(await world.lines(run)) == 10

    await until(there)
    async with reading(ada, f"{run.path}/logs", follow="true", tail=2) as reader:
        await reader.until(b"9\n")
        run.log.say("10")
        assert await reader.until(b"10\n") == b"8\n9\n10\n"


async def test_an_offset_that_is_still_to_come(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    async with reading(ada, f"{run.path}/logs", follow="true", offset=5) as reader:
        run.log.say(*map(str, range(4)))
        run.log.say(*map(str, range(4, 8)))
        assert await reader.until(b"7\n") == b"5\n6\n7\n"


async def test_one_job_and_a_time(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment("master", "worker")
    since = "2026-11-24T03:00:03Z"
    async with (
        reading(ada, f"{run.path}/jobs/{run.jobs[1]}/logs", follow="true", seqs="true") as job,
        reading(ada, f"{run.path}/logs", follow="true", since=since) as late,
    ):
        for number in range(4):
            for log, name in zip(run.logs, "mw", strict=True):
                log.say(f"{name}{number}")
        await world.finish(run)
        mine = (await job.end()).decode().splitlines()
        assert [line.split(" ")[1] for line in mine] == ["w0", "w1", "w2", "w3"]
        assert sorted((await late.end()).decode().split()) == ["m2", "m3", "w2", "w3"]


async def test_attempts_go_on_in_the_same_stream(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    async with reading(ada, f"{run.path}/logs", follow="true") as reader:
        run.log.say("first attempt")
        run.log.end()
        await reader.until(b"first attempt\n")
        await world.launch(run, attempt=2)
        run.log.say("second attempt")
        await world.finish(run)
        assert await reader.end() == b"first attempt\nsecond attempt\n"


async def test_a_builds_log_is_followed_to_its_end(world: LogWorld, ada: httpx.AsyncClient) -> None:
    build = await world.build()
    waiting = await world.build(leader=build)
    async with (
        reading(ada, f"{build.path}/logs/lines", follow="true") as own,
        reading(ada, f"{waiting.path}/logs/lines", follow="true") as borrowed,
    ):
        build.log.say("step 1")
        await own.until(b"step 1")
        await borrowed.until(b"step 1")
        await world.finish(build)
        await world.move(waiting, Status.SUCCEEDED)
        assert events(await own.end())[-1]["status"] == "succeeded"
        assert events(await borrowed.end())[-1]["status"] == "succeeded"


async def test_any_replica_serves_it(
    world: LogWorld, ada: httpx.AsyncClient, token: str, settings: Settings
) -> None:
    run = await world.experiment()
    async with (
        serving(settings) as other,
        other.client(token) as there,
        reading(ada, f"{run.path}/logs", follow="true") as here_reader,
        reading(there, f"{run.path}/logs", follow="true") as there_reader,
    ):
        run.log.say(*map(str, range(100)))
        await world.finish(run)
        assert await here_reader.end() == await there_reader.end()
        assert here_reader.data.split() == [b"%d" % number for number in range(100)]


@pytest.mark.parametrize(
    ("form", "sign"),
    [("sse", b": heartbeat\n\n"), ("ndjson", b'{"event":"heartbeat"}\n'), ("text", b"")],
)
async def test_a_waiting_reader_gets_signs_of_life(
    world: LogWorld, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, form: str, sign: bytes
) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT", 0.1)
    run = await world.experiment()
    async with reading(ada, f"{run.path}/logs", follow="true", format=form) as reader:
        if sign:
            await reader.until(sign * 3)
        run.log.say("line")
        await reader.until(b"line")
        await world.finish(run)
        data = await reader.end()
    if form == "sse":
        assert [event["event"] for _, event in sse(data)] == ["line", "end"]
    elif form == "ndjson":
        assert {event["event"] for event in events(data)} == {"heartbeat", "line", "end"}
    else:
        assert data == b"line\n"


async def test_signs_of_life_come_every_15_seconds_by_default() -> None:
    assert streaming.HEARTBEAT == 15.0


async def test_the_database_goes_away_and_comes_back(
    world: LogWorld, live: Live, ada: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    async with reading(ada, f"{run.path}/logs", follow="true") as reader:
        run.log.say("before")
        await reader.until(b"before\n")
        await _kill_connections(world)
        run.log.say("after")
        await reader.until(b"after\n")
        await world.finish(run)
        assert await reader.end() == b"before\nafter\n"


async def _kill_connections(world: LogWorld) -> None:
    async with world.sessions() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


async def test_announcements_that_are_missed_are_made_up_for(
    idle_world: LogWorld, live: Live, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "TICK", 0.2)
    run = await idle_world.experiment(tracked=True)
    async with reading(ada, f"{run.path}/logs/lines", follow="true") as reader:
        async with idle_world.sessions() as session, session.begin():
            await session.execute(
                text("UPDATE experiments SET status = 'failed', finished_at = now() WHERE id = :id"),
                {"id": run.id},
            )
        assert events(await reader.end())[-1]["status"] == "failed"
