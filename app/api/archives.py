"""A stored archive as a download."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from fastapi.responses import StreamingResponse

from app.errors import NotFound

PIECE = 256 * 1024


class GzipDownload(StreamingResponse):
    """An open tar.gz, sent as an attachment in pieces and closed at the end."""

    media_type = "application/gzip"

    def __init__(self, file: IO[bytes], filename: str) -> None:
        headers = {
            "Content-Length": str(os.fstat(file.fileno()).st_size),
            "Content-Disposition": f'attachment; filename="{filename}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
        }
        super().__init__(_pieces(file), headers=headers)


async def open_download(path: Path, filename: str) -> GzipDownload:
    """Opened before the answer begins, so that nobody's deletion cuts it. Raises NotFound."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:  # deleted just now
        raise NotFound("This code was deleted.") from None
    return GzipDownload(file, filename)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
