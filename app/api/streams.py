"""Answers that are streamed: cut where they may not go on, so that a client sees that something is missing.

A stream that is cut ends without its last chunk: HTTP has no other way to say after the headers that what
was sent is not all. It holds nothing open but its connection while it waits.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.logs.render import LogForm
from app.services.logs.guards import Guards
from app.services.logs.store import LogGone
from app.services.logs.streaming import LogStream
from app.storage.log_frames import DamagedLog

logger = logging.getLogger(__name__)

LEFT = "the client left"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx passes on what comes
    "X-Content-Type-Options": "nosniff",
}


class StreamedResponse(Response):
    """Pieces as they come. Cut, without an end, when the client leaves, the token dies, the service closes,
    or the pieces raise one of `breaks`."""

    breaks: tuple[type[Exception], ...] = ()

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        guards: Guards,
        token_hash: bytes,
        *,
        headers: Mapping[str, str],
        media_type: str | None = None,
        status_code: int = 200,
    ) -> None:
        self._pieces = pieces
        self._guards = guards
        self._token_hash = token_hash
        super().__init__(status_code=status_code, headers=headers, media_type=media_type)
        if "Content-Length" not in headers:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._guards.closing:
            await Response(status_code=503, headers={"Retry-After": "1"})(scope, receive, send)
            return
        cutter = Cutter()
        leaving = asyncio.create_task(_leave(receive, cutter.cut))
        try:
            with self._guards.watch(self._token_hash, cutter.cut):
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                async with aclosing(self._pieces) as pieces:
                    async for piece in pieces:
                        if piece:
                            await send({"type": "http.response.body", "body": piece, "more_body": True})
                leaving.cancel()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                cutter.over = True
        except asyncio.CancelledError:
            if not cutter.accept():
                raise
        except self.breaks as error:
            cutter.reason = str(error)
        finally:
            leaving.cancel()
        if cutter.reason not in (None, LEFT):
            logger.info("the stream of %s was cut: %s", scope["path"], cutter.reason)


class LogResponse(StreamedResponse):
    """A log as a stream, as plain text where no subclass says otherwise."""

    media_type = LogForm.TEXT.value
    breaks = (LogGone, DamagedLog)

    def __init__(self, stream: LogStream, guards: Guards, token_hash: bytes, form: LogForm) -> None:
        super().__init__(stream.pieces(), guards, token_hash, headers=_HEADERS, media_type=form.value)


class LogLinesResponse(LogResponse):
    """A log as NDJSON."""

    media_type = LogForm.NDJSON.value


class LogEventsResponse(LogResponse):
    """A log as server-sent events."""

    media_type = LogForm.EVENTS.value


class Cutter:
    """Ends the task that made it, at whatever it waits for; `reason` is the first one given."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self.reason: str | None = None
        self.over = False

    def cut(self, reason: str) -> None:
        if self.reason is None and not self.over and self._task is not None:
            self.reason = reason
            self._task.cancel()

    def accept(self) -> bool:
        """Whether the cancellation that was just caught is ours: then the task goes on."""
        return self.reason is not None and self._task is not None and self._task.uncancel() == 0


async def _leave(receive: Receive, cut: Callable[[str], None]) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    cut(LEFT)


def is_no_cut(record: logging.LogRecord) -> bool:
    """A filter for uvicorn's log: it calls each stream that was cut an error of the application, and each
    WebSocket that was refused."""
    return not record.getMessage().startswith("ASGI callable returned without completing ")
