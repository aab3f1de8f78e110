"""A line to the API server that a test can cut, block or make silent, without harm to anybody else's."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit


class Line:
    """Passes bytes on, each connection to the API server. `refuses`: new connections are closed at once.
    `silent`: nothing comes back any more. `loses_answers`: what comes back is dropped, and the connection
    cut. `forgets`: seconds after which a connection on which nothing passed is frozen, as routers do it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()
        self.refuses = self.silent = self.loses_answers = False
        self.forgets: float | None = None
        self.forgot = 0  # connections, for their silence
        self.refused = 0  # connections

    def cut(self) -> None:
        """Break all connections."""
        for writer in list(self._open):
            writer.transport.abort()

    def freeze(self) -> None:
        """Nothing passes on any connection that is open now, as when a router forgot it; new ones work."""
        self._dead |= self._open

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            self.refused += 1
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self._target)
        ends = {writer, back}
        heard = [asyncio.get_running_loop().time()]
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, heard, answers=False))
                group.create_task(self._pass(there, writer, heard, answers=True))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open -= ends
            self._dead -= ends
            for each in ends:
                each.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, heard: list[float], *, answers: bool
    ) -> None:
        """`heard`: when something passed last, in either direction."""
        while data := await source.read(65536):
            if answers and self.loses_answers:
                break
            now = asyncio.get_running_loop().time()
            if self.forgets is not None and now - heard[0] > self.forgets:
                self.forgot += target not in self._dead
                self._dead |= {target}
                continue
            heard[0] = now
            if target not in self._dead and not (answers and self.silent):
                target.write(data)
                await target.drain()
        raise ConnectionResetError


@contextlib.asynccontextmanager
async def line_to(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Line, Path]]:
    """A line to the cluster of a kubeconfig, and the kubeconfig that goes over it."""
    text = kubeconfig.read_text()
    url = re.findall(r"server\"?: *\"?(https://[^\"\s,}]+)", text)[0]
    target = urlsplit(url)
    line = Line(str(target.hostname), target.port or 443)
    server = await asyncio.start_server(line.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    path = folder / "kubeconfig"
    path.write_text(text.replace(url, f"https://127.0.0.1:{port}"))
    try:
        yield line, path
    finally:
        server.close()
        line.cut()
