"""HTTP/1.1 as this service takes it: heads are bounded, and what is no HTTP is refused as a problem, too."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

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
