"""HTTP as this service takes it: heads are bounded, what is no HTTP is refused as a problem, too, and nothing
is sent in chunks to HTTP/1.0, which doesn't know them."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.problems import problem
from app.errors import AppError, BadInput

MAX_HEAD = 128 * 1024  # bytes of a request line and its headers; what comes in one read may be more


class HeadTooLarge(AppError):
    """A request whose headers don't end (431)."""

    status = 431
    code = "headers_too_large"
    title = "Headers too large"


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's, which takes headers of any length, at the cost of memory and of time that grows squared."""

    _in_head = False
    _head = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self.scope["type"] == "http" and self.scope["http_version"] == "1.0":
            send_unchunked(self.cycle)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self._refuse(HeadTooLarge(f"The request's headers are larger than {MAX_HEAD} bytes."))

    def send_400_response(self, msg: str) -> None:
        self._refuse(BadInput("This is not a valid HTTP request."))

    def _refuse(self, error: AppError) -> None:
        answer = problem(error, path="", request_id=None)
        heads = [name + b": " + value for name, value in answer.raw_headers]
        head = STATUS_LINE[error.status] + b"\r\n".join([*heads, b"connection: close"])
        self.transport.write(head + b"\r\n\r\n" + bytes(answer.body))
        self.transport.close()


def send_unchunked(cycle: RequestResponseCycle) -> None:
    """Let an answer without a length end with its connection, which uvicorn closes after HTTP/1.0 anyway."""
    send, unsized = cycle.send, False

    async def unchunked(message: Any) -> None:
        nonlocal unsized
        if message["type"] == "http.response.start":
            unsized = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            if unsized:
                cycle.chunked_encoding = False
        elif unsized:
            cycle.expected_content_length = len(message.get("body", b""))  # uvicorn counts down to 0
        await send(message)

    cycle.send = unchunked  # type: ignore[method-assign]
