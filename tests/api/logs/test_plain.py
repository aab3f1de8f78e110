"""The plain call: the text so far, whole, then its end."""

import httpx
import pytest

from app.domain.lifecycle import Status
from tests.log_jobs import BEGIN
from tests.log_readers import events, sse
from tests.log_world import LogWorld, printed, until


async def test_the_text_so_far(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await printed(world, "one", "two")
    answer = await ada.get(f"{run.path}/logs")
    assert (answer.status_code, answer.text) == (200, "one\ntwo\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_with_slashes_as_the_document_prints_them(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await printed(world, "one")
    for form in (f"//experiments/{run.id}/logs", f"/experiments/{run.id}/logs/"):
        answer = await ada.get("/ada/lab" + form)
        assert (answer.status_code, answer.text) == (200, "one\n")


async def test_200_and_empty_before_the_first_line(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment(launched=False, status=Status.CREATED)
    answer = await ada.get(f"{run.path}/logs")
    assert (answer.status_code, answer.text) == (200, "")
    lines = await ada.get(f"{run.path}/logs/lines")
    assert events(lines.content) == [{"event": "end", "status": "created", "last_seq": -1}]


async def test_the_same_from_the_finished_object(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await printed(world, "one", "two", status=Status.SUCCEEDED)
    assert (await ada.get(f"{run.path}/logs")).text == "one\ntwo\n"
    lines = await ada.get(f"{run.path}/logs/lines")
    assert events(lines.content)[-1] == {"event": "end", "status": "succeeded", "last_seq": 1}


async def test_an_ndjson_object_says_all_of_a_line(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    run.log.say("hello", at=BEGIN)

    async def there() -> bool:
        return await world.lines(run) == ["hello"]

    await until(there)
    answer = await ada.get(f"{run.path}/logs/lines")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert events(answer.content) == [
        {
            "event": "line",
            "seq": 0,
            "time": "2026-11-24T03:00:00.000000+00:00",
            "job": run.job,
            "role": "master",
            "index": 0,
            "stream": "stdout",
            "text": "hello",
        },
        {"event": "end", "status": "running", "last_seq": 0},
    ]


async def test_an_event_is_alike_with_its_seq_as_id_and_so_has_the_end(
    world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await printed(world, "one", "two")
    lines = await ada.get(f"{run.path}/logs/lines")
    answer = await ada.get(f"{run.path}/logs/events")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert sse(answer.content) == list(zip([0, 1, 1], events(lines.content), strict=True))


async def test_seqs_and_timestamps_stand_before_each_line_of_text(
    world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await world.experiment()
    run.log.say("hello", at=BEGIN)

    async def there() -> bool:
        return await world.lines(run) == ["hello"]

    await until(there)
    both = await ada.get(f"{run.path}/logs", params={"seqs": "true", "timestamps": "1"})
    assert both.text == "0 2026-11-24T03:00:00.000000+00:00 hello\n"


@pytest.mark.parametrize("done", [False, True])
async def test_one_job_keeps_the_experiments_numbers_and_skips(
    world: LogWorld, ada: httpx.AsyncClient, done: bool
) -> None:
    run = await world.experiment("master", "worker", "worker")
    for number in range(12):
        run.logs[number % 3].say(f"{number % 3}")

    async def there() -> bool:
        return len(await world.lines(run)) == 12

    await until(there)
    if done:
        await world.finish(run)
        await until(lambda: world.sealed(run))
    everything = events((await ada.get(f"{run.path}/logs/lines")).content)
    mine = [event for event in everything if event.get("job") == run.jobs[2]]
    assert {(event["role"], event["index"], event["text"]) for event in mine} == {("worker", 1, "2")}
    for path in (f"{run.path}/logs/lines?job={run.jobs[2]}", f"{run.path}/jobs/{run.jobs[2]}/logs/lines"):
        *lines, end = events((await ada.get(path)).content)
        assert lines == mine
        assert end["last_seq"] == 11
    last = await ada.get(f"{run.path}/jobs/{run.jobs[2]}/logs", params={"tail": 1, "seqs": "true"})
    assert last.text == f"{mine[-1]['seq']} 2\n"
    shown = await ada.get(f"{run.path}/jobs/{run.jobs[2]}/logs/events")
    assert [event for _, event in sse(shown.content)][:-1] == mine


async def test_a_builds_log(world: LogWorld, ada: httpx.AsyncClient) -> None:
    build = await world.build()
    build.log.say("step 1")

    async def there() -> bool:
        return await world.lines(build) == ["step 1"]

    await until(there)
    assert (await ada.get(f"{build.path}/logs")).text == "step 1\n"
    [line, _] = events((await ada.get(f"{build.path}/logs/lines")).content)
    assert (line["seq"], line["job"], line["role"], line["index"]) == (0, None, None, None)
    assert sse((await ada.get(f"{build.path}/logs/events")).content)[0] == (0, line)


async def test_a_build_that_waits_for_another_shows_that_ones_log(
    world: LogWorld, ada: httpx.AsyncClient
) -> None:
    leader = await world.build()
    waiting = await world.build(leader=leader)
    leader.log.say("step 1")

    async def there() -> bool:
        return await world.lines(leader) == ["step 1"]

    await until(there)
    assert (await ada.get(f"{waiting.path}/logs")).text == "step 1\n"


@pytest.mark.parametrize("suffix", ["", "/lines", "/events"])
async def test_what_is_not_there_is_404(world: LogWorld, ada: httpx.AsyncClient, suffix: str) -> None:
    run, other = await world.experiment(), await world.experiment()
    build = await world.build()
    missing = [
        f"/ada/lab/experiments/{other.id + 1000}/logs",
        f"/ada/lab/experiments/{10**30}/logs",
        f"/ada/other/experiments/{run.id}/logs",
        f"{run.path}/jobs/{other.job}/logs",
        f"{run.path}/jobs/{10**30}/logs",
        f"/ada/lab/builds/{build.id + 1000}/logs",
        f"/ada/lab/builds/{10**30}/logs",
        f"/ada/other/builds/{build.id}/logs",
    ]
    for path in missing:
        assert (await ada.get(path + suffix)).status_code == 404, path
    assert (await ada.get(f"{run.path}/logs{suffix}", params={"job": other.job})).status_code == 404


@pytest.mark.parametrize("suffix", ["", "/lines", "/events"])
async def test_who_may_not_see_it_gets_404_and_without_a_token_401(
    world: LogWorld, ada: httpx.AsyncClient, bob: httpx.AsyncClient, suffix: str
) -> None:
    run, build = await world.experiment(), await world.build()
    for path in (f"{run.path}/logs", f"{run.path}/jobs/{run.job}/logs", f"{build.path}/logs"):
        assert (await bob.get(path + suffix)).status_code == 404
        anyone = await ada.get(path + suffix, headers={"Authorization": ""})
        assert (anyone.status_code, anyone.headers["www-authenticate"]) == (401, "token")


async def test_a_log_of_many_mib_is_whole(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    text = [f"{number} " + "x" * 200 for number in range(40_000)]
    run.log.say(*text)

    async def there() -> bool:
        stream = await world.stream(run)
        return stream is not None and stream.next_seq == len(text)

    await until(there)
    assert (await ada.get(f"{run.path}/logs")).text.splitlines() == text
    await world.finish(run)
    await until(lambda: world.sealed(run))
    assert (await ada.get(f"{run.path}/logs")).text.splitlines() == text
    *lines, end = events((await ada.get(f"{run.path}/logs/lines")).content)
    assert ([line["text"] for line in lines], end["last_seq"]) == (text, len(text) - 1)
