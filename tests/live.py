"""The service on a real socket, in this process: for what only a connection shows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from app.api.service import Service
from app.cli.http_server import Server, configured
from app.launchers.servers import NO_TLS
from app.main import create_app
from app.settings import Settings
from app.supervisor.listening import listen


@dataclass
class Live:
    """A server that listens. `port` is its port on 127.0.0.1."""

    port: int
    app: FastAPI
    server: Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A client below `/api/v1`."""
        headers = {"Authorization": f"token {token}"} if token is not None else {}
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(
            base_url=f"{self.url}/api/v1", headers=headers, timeout=20, limits=limits, verify=NO_TLS
        )


@contextlib.asynccontextmanager
async def serving(settings: Settings, port: int = 0, *, host: str = "127.0.0.1") -> AsyncIterator[Live]:
    """Serve until the context ends; then as on SIGTERM."""
    listener = listen(host, port)
    app = create_app(settings)
    server = Server(configured(app), app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield Live(listener.getsockname()[1], app, server)
    finally:
        server.should_exit = True
        await task
