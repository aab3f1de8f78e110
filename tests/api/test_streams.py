"""How a streamed answer is cut."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message, Send
from starlette.websockets import WebSocket

from app.api.service import Service
from app.api.sockets import stream
from app.api.streams import Cutter, StreamedResponse
from app.main import create_app
from app.services.logs.guards import Cut
from app.settings import Settings


@pytest.fixture
def service(settings: Settings) -> Service:
    service: Service = create_app(settings).state.service
    return service


async def endless() -> AsyncGenerator[bytes, None]:
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


async def call(response: StreamedResponse, *received: str) -> list[Message]:
    """The messages that it sends to a client of which these are heard, then nothing."""
    sent: list[Message] = []
    waiting = list(received)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return {"type": waiting.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message)

    await response({"type": "http", "path": "/"}, receive, send)
    return sent


async def test_a_client_that_leaves_ends_it_without_an_end(service: Service) -> None:
    response = StreamedResponse(endless(), service.logs.guards, b"token", headers={})
    async with asyncio.timeout(60):
        sent = await call(response, "http.request", "http.disconnect")
    assert all(message.get("more_body", True) for message in sent)
    assert not service.logs.guards._by_token


async def test_a_dead_token_ends_it_without_an_end(service: Service) -> None:
    guards = service.logs.guards
    response = StreamedResponse(endless(), guards, b"token", headers={})
    task = asyncio.create_task(call(response))
    await asyncio.sleep(0.03)
    guards._cut(b"another", Cut.TOKEN)
    await asyncio.sleep(0.03)
    assert not task.done()
    guards._cut(b"token", Cut.TOKEN)
    sent = await task
    assert len(sent) > 1
    assert all(message.get("more_body", True) for message in sent)


async def test_who_else_cancels_it_is_obeyed(service: Service) -> None:
    task = asyncio.create_task(call(StreamedResponse(endless(), service.logs.guards, b"token", headers={})))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not service.logs.guards._by_token


async def test_a_cut_that_comes_too_late_changes_nothing() -> None:
    cutter = Cutter()
    cutter.over = True
    cutter.cut("late")
    await asyncio.sleep(0)
    assert cutter.reason is None


async def test_the_first_reason_stays() -> None:
    async def work() -> str | None:
        cutter = Cutter()
        cutter.cut("first")
        cutter.cut("second")
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            assert cutter.accept()
        return cutter.reason

    assert await asyncio.create_task(work()) == "first"


class TestSockets:
    """How a socket is cut."""

    async def test_a_client_that_is_gone_when_something_is_sent_ends_it(self, service: Service) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "websocket.send":
                raise OSError

        await stream(self._socket(send), service.logs.guards, b"token", self._frames())
        assert not service.logs.guards._by_token

    async def test_who_else_cancels_it_is_obeyed(self, service: Service) -> None:
        async def send(_: Message) -> None:
            await asyncio.sleep(0)

        socket = self._socket(send)
        task = asyncio.create_task(stream(socket, service.logs.guards, b"token", self._frames()))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def _socket(self, send: Send) -> WebSocket:
        messages = [{"type": "websocket.connect"}]

        async def receive() -> Message:
            if not messages:
                await asyncio.Event().wait()
            return messages.pop()

        return WebSocket({"type": "websocket", "path": "/", "headers": []}, receive, send)

    async def _frames(self) -> AsyncGenerator[str, None]:
        while True:
            yield "{}"
            await asyncio.sleep(0.01)
