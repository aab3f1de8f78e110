"""Readers of streams: what they have so far, and how it ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson


class Reader:
    """Reads one stream in the background. `cut`: it ended without its last chunk."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.data = b""
        self.cut = False
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for part in self.response.aiter_raw():
                self.data += part
                self._changed.set()
        except httpx.RemoteProtocolError:
            self.cut = True
        finally:
            self._changed.set()

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def until(self, text: bytes, seconds: float = 60) -> bytes:
        """Wait until this was received."""
        async with asyncio.timeout(seconds):
            while text not in self.data and not self.ended:
                self._changed.clear()
                await self._changed.wait()
        assert text in self.data, f"ended without {text!r}: {self.data[-500:]!r}"
        return self.data

    async def end(self, seconds: float = 60) -> bytes:
        """Wait until the stream ended, cut or not."""
        async with asyncio.timeout(seconds):
            await self._task
        return self.data

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def reading(
    client: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **params: Any
) -> AsyncIterator[Reader]:
    """A stream that is open."""
    async with client.stream("GET", path, params=params or None, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        reader = Reader(response)
        yield reader
        await reader.close()


def events(data: bytes) -> list[dict[str, Any]]:
    """The objects of NDJSON."""
    return [orjson.loads(line) for line in data.splitlines()]


def sse(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The events of an event stream with their ids; comments left out."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), orjson.loads(fields["data"])))
    return found


async def open_raw(
    port: int, path: str, token: str, *headers: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection with a request sent, which reads nothing by itself (but a kilobyte)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    lines = [f"GET /api/v1{path} HTTP/1.1", "Host: bunsen", f"Authorization: token {token}", *headers]
    lines.append("Connection: close")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return reader, writer


def unchunk(data: bytes) -> bytes:
    """The body of an answer in chunks, which must be whole."""
    body = data.partition(b"\r\n\r\n")[2]
    parts: list[bytes] = []
    while True:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return b"".join(parts)
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]


async def is_cut(reader: Reader, seconds: float = 30.0) -> None:
    """The stream ends, without its last chunk and without an `end`."""
    data = await reader.end(seconds)
    assert reader.cut
    assert b'"end"' not in data
