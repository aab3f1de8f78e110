"""Lines that a tracker posts to the log of an experiment that is only tracked."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import text

from app.db.engine import transaction
from app.domain.lifecycle import Status
from app.services.tokens import create_job_token
from tests.live import Live
from tests.log_readers import events, reading
from tests.log_world import LogWorld, until

BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"json": ["one", "two"]}, ["one", "two"]),
    ({"json": {"lines": ["one", "two"]}}, ["one", "two"]),
    ({"json": {"log_lines": ["one"], "status": None}}, ["one"]),
    ({"json": {"text": "one\ntwo\n"}}, ["one", "two"]),
    ({"json": "one\ntwo"}, ["one", "two"]),
    ({"json": ["a\nb", "", "10 %\r20 %"]}, ["a", "b", "", "10 %", "20 %"]),
    ({"content": b"one\ntwo\n", "headers": {"Content-Type": "text/plain"}}, ["one", "two"]),
    ({"content": "one\r\nzwölf".encode()}, ["one", "zwölf"]),
    ({"content": b"bad \xff and \x00"}, ["bad \ufffd and \x00"]),
    ({"content": b"a=1&b", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, ["a=1&b"]),
    ({"json": []}, []),
    ({"json": ""}, []),
    ({"json": [""]}, [""]),
]


async def test_text_or_lines(idle_world: LogWorld, ada: httpx.AsyncClient) -> None:
    for sent, expected in BODIES:
        run = await idle_world.experiment(tracked=True)
        for slash in ("/", ""):
            answer = await ada.post(f"{run.path}/logs{slash}", **sent)
            assert answer.status_code == 201, sent
            assert answer.json()["count"] == len(expected), sent
        assert answer.json()["last_seq"] == 2 * len(expected) - 1
        *lines, _ = events((await ada.get(f"{run.path}/logs/lines")).content)
        assert [line["text"] for line in lines] == expected * 2
        assert {(line["job"], line["role"], line["stream"]) for line in lines} <= {(None, None, "stdout")}


async def test_what_is_neither_is_400(idle_world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await idle_world.experiment(tracked=True)
    bodies: list[Any] = [{}, {"lines": 5}, 5, None, [1], {"lines": ["a", 1]}, True]
    for body in bodies:
        answer = await ada.post(f"{run.path}/logs", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0]["loc"][0] == "body"
    assert await idle_world.stream(run) is None


async def test_nul_in_json_is_400_and_a_large_body_413(idle_world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await idle_world.experiment(tracked=True)
    assert (await ada.post(f"{run.path}/logs", json=["nul \x00"])).status_code == 400
    large = await ada.post(f"{run.path}/logs", content=b"x" * (10 * 1024 * 1024 + 1))
    assert large.status_code == 413
    assert await idle_world.stream(run) is None


async def test_a_follower_sees_them_at_once(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment(tracked=True)
    async with reading(ada, f"{run.path}/logs/lines", follow="true") as reader:
        await ada.post(f"{run.path}/logs", json=["epoch 1"])
        await reader.until(b"epoch 1")
        await world.move(run, Status.SUCCEEDED)
        assert [event["event"] for event in events(await reader.end())] == ["line", "end"]
    await until(lambda: world.sealed(run))
    assert (await ada.get(f"{run.path}/logs")).text == "epoch 1\n"


async def test_once_it_is_done_its_log_is_complete(idle_world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await idle_world.experiment(tracked=True)
    await idle_world.move(run, Status.FAILED)
    answer = await ada.post(f"{run.path}/logs", json=["late"])
    assert (answer.status_code, answer.json()["code"]) == (409, "done")


async def test_the_log_of_a_launched_one_is_what_its_jobs_print(
    idle_world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await idle_world.experiment()
    answer = await ada.post(f"{run.path}/logs", json=["mine"])
    assert (answer.status_code, answer.json()["code"]) == (409, "launched")


async def test_who_may_post(
    idle_world: LogWorld, live: Live, ada: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    run, other = await idle_world.experiment(tracked=True), await idle_world.experiment(tracked=True)
    user, _ = await idle_world.project()
    async with transaction(idle_world.sessions) as session:
        inside = await create_job_token(session, user, run.id, 1)
    async with live.client(inside) as job:
        assert (await job.post(f"{run.path}/logs/", json=["from inside"])).status_code == 201
        assert (await job.get(f"{run.path}/logs")).text == "from inside\n"
        assert (await job.post(f"{other.path}/logs/", json=["x"])).status_code == 403
        assert (await job.post(f"{run.path}/logs/ticket")).status_code == 403
    assert (await bob.post(f"{run.path}/logs", json=["x"])).status_code == 404
    async with transaction(idle_world.sessions) as session:
        await session.execute(text("UPDATE projects SET is_public = true"))
    assert (await bob.post(f"{run.path}/logs", json=["x"])).status_code == 403
    assert (await ada.post(f"/ada/lab/experiments/{10**30}/logs", json=["x"])).status_code == 404


async def test_posts_at_the_same_time_each_keep_their_lines_together(
    idle_world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await idle_world.experiment(tracked=True)
    posts = (ada.post(f"{run.path}/logs", json=[f"{n} {i}" for i in range(3)]) for n in range(40))
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    lines = await idle_world.lines(run)
    assert [line.split()[1] for line in lines] == ["0", "1", "2"] * 40
    assert {line.split()[0] for line in lines} == {str(number) for number in range(40)}


async def test_many_small_posts_are_no_row_each(idle_world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await idle_world.experiment(tracked=True)
    for number in range(90):
        await ada.post(f"{run.path}/logs", json=[str(number)])
    assert await idle_world.lines(run) == [str(number) for number in range(90)]
    assert await idle_world.count_chunks(run) < 64
