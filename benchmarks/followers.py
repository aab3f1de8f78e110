"""Many readers of one stream, with little work a line: how late its lines come."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PRINTED = re.compile(rb"(\d{10}\.\d{6}) x")


class Followers:
    """How many seconds after it was printed the last line of each piece came."""

    def __init__(self) -> None:
        self._late: list[float] = []

    def forget(self) -> None:
        """Begin anew."""
        self._late.clear()

    def heard(self, piece: bytes) -> None:
        """A piece came now."""
        found = _PRINTED.search(piece, max(0, piece.rfind(b"\n", 0, -3)))
        if found is not None:
            self._late.append(time.time() - float(found[1]))

    def late(self, share: float) -> float:
        """The seconds that so great a share of the pieces stayed below."""
        if not self._late:
            raise RuntimeError("no line came")
        return sorted(self._late)[int(len(self._late) * share)]


class _Reader(asyncio.Protocol):
    def __init__(self, followers: Followers, asked: bytes) -> None:
        self._followers, self._asked = followers, asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        self._followers.heard(data)


@asynccontextmanager
async def follow_all(port: int, asked: bytes, count: int) -> AsyncIterator[Followers]:
    """So many connections that each ask for a stream."""
    followers = Followers()
    loop = asyncio.get_running_loop()
    transports = []
    for _ in range(count):
        transport, _ = await loop.create_connection(lambda: _Reader(followers, asked), "127.0.0.1", port)
        transports.append(transport)
    try:
        yield followers
    finally:
        for transport in transports:
            transport.abort()
