"""Every path of the API answers with a slash at its end, without one, and with `//` inside.

A NUL in a path becomes U+FFFD, which no name holds: Postgres takes no NUL, and nothing is at such a path.
Bytes that are not UTF-8, in paths and queries, are written as in lists of outputs.
"""

import re
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from app.storage.output_names import write_bytes

_SLASHES = re.compile(r"/{2,}")
_NOT_ASCII = re.compile(rb"(?:%[89a-fA-F][0-9a-fA-F])+")
_OURS = ("/api/", "/ws/")


class NormalizePaths:
    """Rewrites the path before routing; a redirect would lose the body of an upload."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            path = scope["path"]
            if "\ufffd" in path:
                path = write_bytes(unquote_to_bytes(scope["raw_path"]))
                scope = {**scope, "path": path}
            if "\0" in path:
                path = path.replace("\0", "\ufffd00")
                scope = {**scope, "path": path}
            if b"%" in scope["query_string"]:
                scope = {**scope, "query_string": _NOT_ASCII.sub(_write, scope["query_string"])}
            if "//" in path or path.endswith("/"):
                normal = _SLASHES.sub("/", path)
                if normal.startswith(_OURS):
                    scope = {**scope, "path": normal.rstrip("/")}
        await self._app(scope, receive, send)


def _write(found: re.Match[bytes]) -> bytes:
    return quote(write_bytes(unquote_to_bytes(found[0]))).encode()
