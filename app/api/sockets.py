"""What WebSockets share: refused at the handshake with a real status, cut and closed with a reason."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.problems import problem
from app.api.streams import LEFT, Cutter
from app.errors import AppError
from app.services.logs.guards import Cut, Guards
from app.services.logs.store import LogGone
from app.storage.log_frames import DamagedLog

logger = logging.getLogger(__name__)

# Close codes, RFC 6455, 7.4.1.
DONE = 1000
GOING_AWAY = 1001
REFUSED = 1008


async def refuse(socket: WebSocket, error: AppError) -> None:
    """Answer the handshake with the error's status."""
    await socket.send_denial_response(problem(error, path=socket.url.path, request_id=None))


async def stream(
    socket: WebSocket, guards: Guards, token_hash: bytes, frames: AsyncGenerator[str, None]
) -> None:
    """Accept, send the frames, close. It ends early when the client leaves, the token dies, what it shows is
    deleted, or the service closes; only what is complete is closed with 1000."""
    cutter = Cutter()
    await socket.accept()
    leaving = asyncio.create_task(_leave(socket, cutter))
    try:
        with guards.watch(token_hash, cutter.cut):
            async with aclosing(frames):
                async for frame in frames:
                    await socket.send_text(frame)
            cutter.over = True
    except asyncio.CancelledError:
        if not cutter.accept():
            raise
    except (LogGone, DamagedLog) as error:
        cutter.reason = str(error)
    except WebSocketDisconnect:
        cutter.reason = LEFT
    finally:
        leaving.cancel()
    if cutter.reason != LEFT:
        await _close(socket, cutter.reason)


async def _leave(socket: WebSocket, cutter: Cutter) -> None:
    """Wait until the client has left; what it sends is ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    cutter.cut(LEFT)


async def _close(socket: WebSocket, reason: str | None) -> None:
    if reason is not None:
        logger.info("the socket of %s was cut: %s", socket.url.path, reason)
    code = DONE if reason is None else GOING_AWAY if reason == Cut.CLOSING else REFUSED
    with suppress(RuntimeError, WebSocketDisconnect):  # it was closed meanwhile, by the server or its client
        await socket.close(code, reason)
