"""TensorBoards, the real thing: started, proxied to those who may see, behind a secret, stopped."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import select, update

from app.db.engine import transaction
from app.db.tables import Tensorboard
from app.db.tensorboards import want
from app.domain.lifecycle import Status
from app.reconciler.context import Context
from app.reconciler.tensorboards import tensorboards
from tests.api.experiments import PATH, create, make_lab
from tests.people import Person
from tests.reconciler.conftest import until

EVENTS = """
import os, sys
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
writer = EventFileWriter(sys.argv[1])
for step in range(3):
    value = Summary.Value(tag="loss", simple_value=1.0 / (step + 1))
    writer.add_event(Event(wall_time=step, step=step, summary=Summary(value=[value])))
writer.close()
"""


async def board(ctx: Context) -> Tensorboard:
    async with ctx.sessions() as session:
        return (await session.execute(select(Tensorboard))).scalar_one()


async def change(ctx: Context, **values: Any) -> None:
    async with transaction(ctx.sessions) as session:
        await session.execute(update(Tensorboard).values(**values))


async def make(ada: Person, ctx: Context) -> str:
    """An experiment with event files in its outputs; the path of its TensorBoard's calls."""
    await make_lab(ada)
    made = await create(ada)
    outputs = ctx.settings.outputs_root(None) / made["uuid"]
    outputs.mkdir(parents=True, exist_ok=True)
    writer = [sys.executable, "-c", EVENTS, str(outputs)]
    await asyncio.to_thread(subprocess.run, writer, check=True, capture_output=True)
    return f"{PATH}/{made['id']}"


async def is_running(ctx: Context) -> bool:
    return (await board(ctx)).status == "running"


async def test_a_whole_life(ada: Person, bob: Person, running: Context, client: httpx.AsyncClient) -> None:
    path = await make(ada, running)
    assert (await ada.http.get(path)).json()["has_tensorboard"] is None
    none = (await ada.http.get(f"{path}/tensorboard")).json()
    assert none == {"status": "stopped", "url": None, "expires_at": None}

    started = await ada.http.post(f"{path}/tensorboard/start", json={"config": None}, timeout=60)
    assert started.status_code == 201, started.text
    assert (await ada.http.post(f"{path}/tensorboard/start")).status_code == 200
    assert (await ada.http.get(path)).json()["has_tensorboard"] is True

    url = started.json()["url"]
    place, _, ticket = url.removeprefix("http://bunsen.test").partition("?")
    assert (await client.get(place)).status_code == 401
    let_in = await client.get(f"{place}?{ticket}")
    assert (let_in.status_code, let_in.headers["location"]) == (303, f"http://bunsen.test{place}")
    cookie = let_in.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", f"Path={place}"))
    assert (await httpx_without_cookies(client, f"{place}?{ticket}")).status_code == 401, "of one use"

    page = await client.get(place)
    assert page.status_code == 200
    assert "TensorBoard" in page.text
    plain = client.build_request("GET", f"{place}data/plugin/scalars/tags")
    del plain.headers["accept-encoding"]
    tags = await client.send(plain)
    assert "loss" in tags.text
    assert "content-encoding" not in tags.headers, "it was not asked for"

    strange = await client.post(f"{place}data/plugin/scalars/tags", headers={"Origin": "http://evil.test"})
    assert strange.status_code == 403
    theirs = {"Authorization": f"token {bob.token}"}
    assert (await client.get(place, headers=theirs)).status_code == 404
    mine = {"Authorization": f"token {ada.token}"}
    assert (await client.get(place, headers=mine)).status_code == 200
    assert (await client.get(f"/api/v1{path}")).status_code == 401, "the cookie opens the page alone"

    assert (await ada.http.post(f"{path}/tensorboard/stop")).status_code == 200
    assert (await client.get(place, headers=mine)).status_code == 404
    assert (await ada.http.get(path)).json()["has_tensorboard"] is False

    async def ended() -> bool:
        return (await board(running)).status == "stopped" and not await running.launcher.known()

    await until(ended)
    assert (await ada.http.post(f"{path}/tensorboard/stop")).status_code == 200


async def httpx_without_cookies(client: httpx.AsyncClient, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=client._transport, base_url=client.base_url) as stranger:
        return await stranger.get(path)


async def test_nobody_on_the_machine_is_answered_without_the_secret(ada: Person, running: Context) -> None:
    path = await make(ada, running)
    await ada.http.post(f"{path}/tensorboard/start", timeout=60)
    address = (await board(running)).address
    async with httpx.AsyncClient() as neighbour:
        answer = await neighbour.get(f"http://{address}/", headers={"X-Bunsen-Key": "guess"})
    assert answer.status_code == 403
    secret = (await board(running)).secret
    assert secret is not None
    assert secret not in str([process.info["cmdline"] for process in psutil.process_iter(["cmdline"])])


async def test_one_that_was_killed_is_started_again(ada: Person, running: Context) -> None:
    path = await make(ada, running)
    await ada.http.post(f"{path}/tensorboard/start", timeout=60)
    first = await board(running)
    assert first.address is not None
    port = int(first.address.rpartition(":")[2])
    for process in psutil.process_iter():
        if any(c.laddr and c.laddr[1] == port for c in connections(process)):
            process.kill()

    async def again() -> bool:
        now = await board(running)
        return now.status == "running" and now.attempt > first.attempt

    await until(again)


def connections(process: psutil.Process) -> list[Any]:
    try:
        return [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


class TestStep:
    async def test_what_nobody_wants_is_left_alone(self, ada: Person, ctx: Context) -> None:
        await make(ada, ctx)
        await tensorboards(ctx)
        assert await ctx.launcher.known() == []

    async def test_it_is_claimed_before_it_is_launched_and_launched_once(
        self, ada: Person, ctx: Context
    ) -> None:
        path = await make(ada, ctx)
        async with transaction(ctx.sessions) as session:
            await want(session, int(path.rsplit("/", 1)[1]))
        await tensorboards(ctx)
        row = await board(ctx)
        assert (row.status, row.attempt) == ("starting", 1)
        for _ in range(2):  # a crash in between would do this
            await tensorboards(ctx)
            await ctx.settle_actions()
        assert len(await ctx.launcher.known()) == 1

    async def test_a_stale_look_changes_nothing(
        self, ada: Person, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = await make(ada, ctx)
        async with transaction(ctx.sessions) as session:
            await want(session, int(path.rsplit("/", 1)[1]))
        original = ctx.launcher.observe

        async def late(refs: Any) -> Any:
            await change(ctx, status=Status.STOPPED.value, wanted=False)
            return await original(refs)

        monkeypatch.setattr(ctx.launcher, "observe", late)
        await tensorboards(ctx)
        assert ((await board(ctx)).status, (await board(ctx)).attempt) == ("stopped", 0)

    async def test_it_is_stopped_when_nobody_asked_for_it_for_long(
        self, ada: Person, running: Context
    ) -> None:
        path = await make(ada, running)
        await ada.http.post(f"{path}/tensorboard/start", timeout=60)
        await change(running, requested_at=datetime.now(UTC) - timedelta(days=1))

        async def ended() -> bool:
            return (await board(running)).status == "stopped"

        await until(ended)
        assert (await ada.http.get(path)).json()["has_tensorboard"] is False
