"""Transfers of outputs that may not go on: they break, so that nobody takes what came for the whole."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from app.db.engine import Sessions, transaction
from app.db.tables import Experiment, Token
from app.services.tokens import revoke_token
from app.settings import Settings
from tests.api.experiments import create, make_lab
from tests.live import Live, serving
from tests.people import Person

SIZE = 64 * 1024 * 1024  # far more than a connection's buffers take
FORMS = ["outputs", "outputs/files/large.bin"]


@dataclass
class World:
    """A server, and one experiment with a large file."""

    live: Live
    sessions: Sessions
    person: Person
    http: httpx.AsyncClient
    path: str
    file: Path


@pytest.fixture
async def world(settings: Settings, sessions: Sessions, ada: Person) -> AsyncIterator[World]:
    async with serving(settings) as live:
        await make_lab(ada)
        id = (await create(ada))["id"]
        async with transaction(sessions) as session:
            uuid = (await session.execute(select(Experiment.outputs_uuid))).scalar_one()
        file = settings.data / "outputs" / uuid / "large.bin"
        file.parent.mkdir(parents=True)
        await asyncio.to_thread(file.write_bytes, os.urandom(SIZE))  # does not pack
        async with live.client(ada.token) as http:
            yield World(live, sessions, ada, http, f"/ada/lab/experiments/{id}", file)


async def shrink(world: World) -> None:
    os.truncate(world.file, 1000)


async def delete(world: World) -> None:
    async with world.live.client(world.person.token) as http:
        assert (await http.delete(world.path)).status_code == 204


async def revoke(world: World) -> None:
    async with transaction(world.sessions) as session:
        ids = (await session.execute(select(Token.id).where(Token.user_id == world.person.id))).scalars()
        for id in ids:
            await revoke_token(session, id)


async def close(world: World) -> None:
    world.live.service.closing.set()


async def rest(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("happens", [shrink, delete, revoke, close])
async def test_what_is_not_whole_any_more_breaks(
    world: World, form: str, happens: Callable[[World], Awaitable[None]]
) -> None:
    async with world.http.stream("GET", f"{world.path}/{form}") as answer:
        assert answer.status_code == 200
        pieces = answer.aiter_raw()
        await anext(pieces)
        await happens(world)
        with pytest.raises(httpx.RemoteProtocolError):
            await rest(pieces)


async def test_after_its_end_a_deleted_experiments_outputs_are_not_there(world: World) -> None:
    await delete(world)
    for form in FORMS:
        assert (await world.http.get(f"{world.path}/{form}")).status_code == 404


async def test_a_file_that_grows_is_sent_at_the_size_that_it_had(world: World) -> None:
    async with world.http.stream("GET", f"{world.path}/outputs/files/large.bin") as answer:
        with world.file.open("ab") as file:
            file.write(b"more")
        size = 0
        async for piece in answer.aiter_raw():
            size += len(piece)
    assert size == SIZE


def open_files(world: World) -> int:
    """How many descriptors of the file or its folder this process has."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += descriptor.readlink().is_relative_to(world.file.parent)
        except OSError:
            continue
    return found


def streaming() -> bool:
    """Whether a thread makes an archive."""
    return any(thread.name == "stream" for thread in threading.enumerate())


def held(world: World) -> bool:
    """Whether some stream still counts as open, or some connection as used."""
    service = world.live.service
    return bool(service.logs.guards._by_token or service.engine.pool.checkedout())  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", FORMS)
async def test_clients_that_leave_leave_nothing_open(world: World, form: str) -> None:
    async def leave() -> None:
        async with world.http.stream("GET", f"{world.path}/{form}") as answer:
            await anext(answer.aiter_raw())

    for _ in range(3):
        await asyncio.gather(*(leave() for _ in range(20)))
    async with asyncio.timeout(60):
        while open_files(world) or streaming() or held(world):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_service_that_is_closing_begins_no_transfer(world: World) -> None:
    world.live.service.logs.guards.cut_all()
    for form in FORMS:
        assert (await world.http.get(f"{world.path}/{form}")).status_code == 503
    async with asyncio.timeout(60):
        while open_files(world):  # noqa: ASYNC110 - closed just after the answer
            await asyncio.sleep(0.01)
