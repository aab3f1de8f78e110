"""Outputs as downloads: attachments that no browser runs as a page of ours, cut where they aren't whole."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope, Send

from app.api.ranges import http_date, is_fresh, read_range
from app.api.service import Service
from app.api.streams import StreamedResponse
from app.services.outputs import OutputsGone, while_there
from app.storage.beneath import TooDeep
from app.storage.outputs import OutputFile
from app.storage.outputs_archive import FileShrank

_BREAKS = (FileShrank, TooDeep, OSError, OutputsGone, SQLAlchemyError)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_ATTR_CHARS = "!#$&+-.^_`|~"  # RFC 5987, 3.2.1, beside letters and digits


def attachment(name: str) -> str:
    """A `Content-Disposition` (RFC 6266) for a file of any name."""
    shown = "".join(char if char.isprintable() else "_" for char in name)
    if not shown.strip("."):
        shown = "download"
    plain = "".join(char if char.isascii() and (char.isalnum() or char in " ._-") else "_" for char in shown)
    encoded = quote(shown, safe=_ATTR_CHARS)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


class OutputsArchive(StreamedResponse):
    """A tar.gz that is made while it is sent."""

    media_type = "application/gzip"
    breaks = _BREAKS

    def __init__(
        self,
        service: Service,
        token_hash: bytes,
        experiment_id: int,
        pieces: AsyncGenerator[bytes, None],
        name: str,
    ) -> None:
        super().__init__(
            while_there(service.sessions, service.listener, experiment_id, pieces),
            service.logs.guards,
            token_hash,
            headers={**_SAFE, "Content-Disposition": attachment(name)},
        )


class OutputDownload(StreamedResponse):
    """One file, whole or a range of it; closed at the end."""

    media_type = "application/octet-stream"
    breaks = _BREAKS

    def __init__(
        self,
        service: Service,
        token_hash: bytes,
        experiment_id: int,
        file: OutputFile,
        request_headers: Mapping[str, str],
    ) -> None:
        """Takes the file over. Raises RangeNotSatisfiable."""
        self._file = file
        etag = f'"{(file.modified_at - _EPOCH) // _MICROSECOND:x}-{file.size:x}"'
        self._fresh = is_fresh(request_headers, etag, file.modified_at)
        part = None if self._fresh else read_range(request_headers, file.size, etag, file.modified_at)
        start, stop = part or (0, file.size)
        headers = {
            **_SAFE,
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Last-Modified": http_date(file.modified_at),
            "Content-Disposition": attachment(file.name.rpartition("/")[2]),
            "Content-Length": str(stop - start),
        }
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        super().__init__(
            while_there(service.sessions, service.listener, experiment_id, file.stream(start, stop)),
            service.logs.guards,
            token_hash,
            headers=headers,
            status_code=200 if part is None else 206,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            if self._fresh:
                await self._send_not_modified(send)
            else:
                await super().__call__(scope, receive, send)

    async def _send_not_modified(self, send: Send) -> None:
        del self.headers["content-length"]
        await send({"type": "http.response.start", "status": 304, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b""})
