"""The WebSockets that clients of 2018 know."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import websocket as old_client
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.db.engine import transaction
from app.db.notify import Channel, announce
from app.domain.lifecycle import Status
from app.services.tokens import hash_token
from tests.live import Live
from tests.log_world import LogWorld, until


@contextlib.asynccontextmanager
async def opened(
    live: Live, path: str, token: str | None, query: str = ""
) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"token {token}"} if token is not None else {}
    url = f"ws://127.0.0.1:{live.port}/ws/v1{path}{query}"
    async with connect(url, additional_headers=headers, open_timeout=10) as socket:
        yield socket


async def frames(socket: ClientConnection) -> tuple[list[Any], int | None]:
    """All that comes until it is closed, and the close code."""
    received = []
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionClosed):
            while True:
                received.append(orjson.loads(await socket.recv()))
    return received, socket.close_code


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_done_one_is_replayed_then_closed(
    world: LogWorld, live: Live, token: str, slash: str
) -> None:
    run = await world.experiment()
    run.log.say("one", "two")
    await world.finish(run)
    await until(lambda: world.sealed(run))
    async with opened(live, f"{run.path}/logs{slash}", token) as socket:
        received, code = await frames(socket)
    assert received == [
        {"status": "succeeded", "log_lines": None, "task_type": None, "task_idx": None},
        {"status": "succeeded", "log_lines": ["one", "two"], "task_type": "master", "task_idx": 0},
    ]
    assert code == 1000


async def test_it_follows_with_each_new_status(world: LogWorld, live: Live, token: str) -> None:
    run = await world.experiment(launched=False, status=Status.SCHEDULED)
    async with opened(live, f"{run.path}/logs", token) as socket:
        assert orjson.loads(await socket.recv())["status"] == "scheduled"
        await world.move(run, Status.RUNNING)
        frame = orjson.loads(await socket.recv())
        assert (frame["status"], frame["log_lines"]) == ("running", None)
        await world.launch(run)
        run.log.say("live")
        assert orjson.loads(await socket.recv())["log_lines"] == ["live"]
        await world.finish(run, Status.FAILED)
        received, code = await frames(socket)
    assert received == [{"status": "failed", "log_lines": None, "task_type": None, "task_idx": None}]
    assert code == 1000


async def test_a_frames_lines_are_of_one_job(world: LogWorld, live: Live, token: str) -> None:
    run = await world.experiment("master", "worker", "worker")
    for log, name in zip(run.logs, "abc", strict=True):
        log.say(*(f"{name}{number}" for number in range(1500)))
    await world.finish(run)
    await until(lambda: world.sealed(run))
    async with opened(live, f"{run.path}/logs", token) as socket:
        (_, *received), _ = await frames(socket)
    by_job: dict[tuple[str, int], list[str]] = {}
    for frame in received:
        assert 0 < len(frame["log_lines"]) <= 1000
        by_job.setdefault((frame["task_type"], frame["task_idx"]), []).extend(frame["log_lines"])
    expected = zip([("master", 0), ("worker", 0), ("worker", 1)], "abc", strict=True)
    assert by_job == {job: [f"{name}{n}" for n in range(1500)] for job, name in expected}


async def test_a_jobs_socket_has_its_lines_alone(world: LogWorld, live: Live, token: str) -> None:
    run = await world.experiment("master", "worker")
    run.logs[0].say("master's")
    run.logs[1].say("worker's")
    await world.finish(run)
    await until(lambda: world.sealed(run))
    async with opened(live, f"{run.path}/jobs/{run.jobs[1]}/logs/", token) as socket:
        (_, frame), _ = await frames(socket)
    assert frame["log_lines"] == ["worker's"]


async def test_the_client_library_of_2018_reads_it(world: LogWorld, live: Live, token: str) -> None:
    run = await world.experiment()
    run.log.say("hello")
    await world.finish(run)
    await until(lambda: world.sealed(run))
    messages: list[dict[str, Any]] = []

    def run_forever() -> None:
        app = old_client.WebSocketApp(
            f"ws://127.0.0.1:{live.port}/ws/v1//ada/lab/experiments/{run.id}/logs/",
            header=[f"Authorization: Token {token}"],
            on_message=lambda _, message: messages.append(orjson.loads(message)),
        )
        app.run_forever()

    await asyncio.to_thread(run_forever)
    assert [frame["log_lines"] for frame in messages] == [None, ["hello"]]


@pytest.mark.parametrize("end", ["logs", "logs/", "jobs/{job}/logs", "resources", "resources/"])
async def test_without_a_token_the_handshake_is_401(
    world: LogWorld, live: Live, token: str, end: str
) -> None:
    run = await world.experiment()
    for credentials in (None, "nonsense"):
        with pytest.raises(InvalidStatus) as refused:
            async with opened(live, f"{run.path}/{end.format(job=run.job)}", credentials):
                pass
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["content-type"] == "application/problem+json"
        assert refused.value.response.headers["www-authenticate"] == "token"


async def test_what_is_not_there_or_not_to_be_seen_is_404(
    world: LogWorld, live: Live, token: str, bob: httpx.AsyncClient
) -> None:
    run, other = await world.experiment(), await world.experiment()
    strangers = bob.headers["authorization"].split(" ")[1]
    paths = [
        (f"{run.path}/logs", strangers),
        (f"{run.path}/resources", strangers),
        (f"/ada/lab/experiments/{10**30}/logs", token),
        ("/ada/lab/experiments/one/logs", token),
        ("/ada/lab/experiments/one/resources", token),
        (f"{run.path}/jobs/{other.job}/logs", token),
        (f"{run.path}/jobs/x/logs", token),
        (f"{run.path}/jobs/{run.job}/resources", token),
        ("/ada/nothing/like/it", token),
    ]
    for path, credentials in paths:
        with pytest.raises(InvalidStatus) as refused:
            async with opened(live, path, credentials):
                pass
        assert refused.value.response.status_code == 404, path


async def test_a_ticket_opens_its_socket_alone(world: LogWorld, live: Live, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    ticket = (await ada.post(f"{run.path}/logs/ticket")).json()["ticket"]
    async with opened(live, f"{run.path}/logs", None, f"?ticket={ticket}") as socket:
        assert orjson.loads(await socket.recv())["status"] == "running"
    for path in (f"{run.path}/resources", f"{run.path}/jobs/{run.job}/logs"):
        with pytest.raises(InvalidStatus) as refused:
            async with opened(live, path, None, f"?ticket={ticket}"):
                pass
        assert refused.value.response.status_code == 401


@pytest.mark.parametrize("end", ["logs", "resources"])
async def test_a_revoked_token_closes_it(world: LogWorld, live: Live, token: str, end: str) -> None:
    run = await world.experiment()
    async with opened(live, f"{run.path}/{end}", token) as socket:
        await socket.recv()
        async with transaction(world.sessions) as session:
            await session.execute(text("DELETE FROM tokens"))
            announce(session, Channel.TOKEN, hash_token(token).hex())
        async with asyncio.timeout(2):
            _, code = await frames(socket)
    assert code == 1008


@pytest.mark.parametrize("end", ["logs", "resources"])
async def test_a_deleted_experiment_closes_it(world: LogWorld, live: Live, token: str, end: str) -> None:
    run = await world.experiment()
    async with opened(live, f"{run.path}/{end}", token) as socket:
        await socket.recv()
        await world.delete(run)
        _, code = await frames(socket)
    assert code == 1008


@pytest.mark.parametrize("end", ["logs", "resources"])
async def test_a_closing_service_says_so(world: LogWorld, live: Live, token: str, end: str) -> None:
    run = await world.experiment()
    async with opened(live, f"{run.path}/{end}", token) as socket:
        await socket.recv()
        live.server.should_exit = True
        _, code = await frames(socket)
    assert code in {1001, 1012}  # going away, or service restart


async def test_what_the_client_sends_is_ignored_and_nothing_is_left_when_it_leaves(
    world: LogWorld, live: Live, token: str
) -> None:
    run = await world.experiment()
    for end in ("logs", "resources"):
        async with opened(live, f"{run.path}/{end}", token) as socket:
            await socket.recv()
            await socket.send("hello")
            await socket.send(b"\x00")

    async def nothing() -> bool:
        service = live.service
        return not service.logs._followed and not service.usage._watched

    await until(nothing)


async def test_one_that_is_cut_off_leaves_nothing_while_lines_come(
    world: LogWorld, live: Live, token: str
) -> None:
    run = await world.experiment()
    async with opened(live, f"{run.path}/logs", token) as socket:
        await socket.recv()
        socket.transport.abort()
        run.log.say(*("x" * 1000 for _ in range(5000)))

        async def nothing() -> bool:
            return not live.service.logs._followed

        await until(nothing)


async def test_one_that_is_opened_while_the_service_closes_is_told_so(
    world: LogWorld, live: Live, token: str
) -> None:
    run = await world.experiment()
    live.service.logs.guards.cut_all()
    async with opened(live, f"{run.path}/logs", token) as socket:
        _, code = await frames(socket)
    assert code == 1001
