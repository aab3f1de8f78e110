"""Uvicorn as this service runs it."""

import contextlib
import socket
from collections.abc import Sequence

import uvicorn
from fastapi import FastAPI

from app.cli.http_protocol import BoundedProtocol

GRACE = 3  # seconds after a signal for requests to end by themselves


class Server(uvicorn.Server):
    """Tells open streams to end before it waits for them; uvicorn itself tells only after that."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        self._app.state.service.closing.set()
        await super().shutdown(list(sockets) if sockets is not None else None)


def configured(app: FastAPI) -> uvicorn.Config:
    """Uvicorn's settings."""
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_config=None,
        access_log=False,  # the application writes its own, without query strings
        proxy_headers=False,  # the application reads them, from trusted addresses only
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        backlog=2048,
    )


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve on a listening socket until a signal; requests get `GRACE` seconds to end then."""
    with contextlib.suppress(KeyboardInterrupt):
        Server(configured(app), app).run(sockets=[listener])
