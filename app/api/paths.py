"""Every path of the API answers with a slash at its end, without one, and with `//` inside.

A NUL in a path becomes U+FFFD, which no name holds: Postgres takes no NUL, and nothing is at such a path.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile(r"/{2,}")
_OURS = ("/api/", "/ws/")


class NormalizePaths:
    """Rewrites the path before routing; a redirect would lose the body of an upload."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            path = scope["path"]
            if "\0" in path:
                path = path.replace("\0", "\ufffd")
                scope = {**scope, "path": path}
            if "//" in path or path.endswith("/"):
                normal = _SLASHES.sub("/", path)
                if normal.startswith(_OURS):
                    scope = {**scope, "path": normal.rstrip("/")}
        await self._app(scope, receive, send)
