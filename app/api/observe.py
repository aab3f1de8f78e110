"""One pure ASGI layer that gives each request an id, counts it and writes its access line."""

import logging
import time
import uuid
from urllib.parse import quote

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

access = logging.getLogger("bunsen.access")


class RequestMetrics:
    """Counts and times of requests, by method, route and status; names no user."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self.requests = Counter("bunsen_http_requests", "Requests answered.", labels, registry=registry)
        self.seconds = Histogram(
            "bunsen_http_request_seconds",
            "Time to the first byte of the answer.",
            ("method", "route"),
            registry=registry,
        )


def _asked(scope: Scope) -> str:
    """The path as it was sent: percent-encoded, what it holds makes no line of its own in the log."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("ascii", "backslashreplace")


class Observe:
    """Sits outside everything else. The query string is left out of the access line: it can hold a ticket."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope["bunsen.request_id"] = request_id
        began = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                self._observe(scope, status, time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            access.info(
                "%s %s %s %.1f ms %s",
                scope["method"],
                _asked(scope),
                status,
                (time.perf_counter() - began) * 1000,
                request_id,
            )

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, so that the number of series is bounded.
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.seconds.labels(scope["method"], route).observe(seconds)
