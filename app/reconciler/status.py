"""What the reconciler says of itself over HTTP, for probes: alive, and ready or not and why."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.launchers.base import Launcher

SILENCE = 30.0  # seconds without a finished pass after which a leader counts as stuck


@dataclass
class ReconcilerStatus:
    """Written by the worker and its loop: whether it leads, why it can't on the database's schema, when its
    last pass ended, and which steps fail."""

    leads: bool = False
    schema: str | None = None
    passed_at: float = 0.0  # monotonic
    failing: dict[str, str] = field(default_factory=dict)  # the step, and its error
    launcher: Launcher | None = None  # while it leads
    away: str | None = None  # why it could not begin to lead
    waits: str | None = None  # what it waits for to begin to lead, as it was said

    def begin(self, launcher: Launcher | None = None) -> None:
        """It leads from now on."""
        self.leads, self.passed_at = True, time.monotonic()
        self.launcher, self.away, self.waits = launcher, None, None

    def end(self) -> None:
        """It leads no more."""
        self.leads = False
        self.launcher = None
        self.failing.clear()

    def trouble(self) -> dict[str, str]:
        """What is wrong; empty when it is ready. One that waits to lead is."""
        if not self.leads:
            why = {"schema": self.schema, "launcher": self.away}
            return {name: words for name, words in why.items() if words}
        found = dict(self.failing)
        if time.monotonic() - self.passed_at > SILENCE:
            found["loop"] = f"no pass ended for {SILENCE:g} s"
        old = self.launcher.trouble() if self.launcher is not None else None
        return found | ({"launcher": old} if old else {})

    def metrics(self) -> CollectorRegistry:
        """What a probe of numbers reads."""
        registry = CollectorRegistry()
        age = Gauge(
            "bunsen_launcher_knowledge_age_seconds",
            "Seconds since what is known of jobs was confirmed.",
            registry=registry,
        )
        age.set(self.launcher.age() if self.launcher is not None else 0)
        leads = Gauge("bunsen_reconciler_leads", "Whether this reconciler leads.", registry=registry)
        leads.set(self.leads)
        return registry


def status_server(status: ReconcilerStatus, host: str, port: int) -> uvicorn.Server:
    """A server of `/healthz`, `/readyz` and `/metrics`; its `serve()` runs until it is cancelled."""

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        trouble = status.trouble()
        word = "not ready" if trouble else "leads" if status.leads else "stands by"
        return JSONResponse({"status": word, "checks": trouble}, status_code=503 if trouble else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(status.metrics()), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/healthz", health), Route("/readyz", ready), Route("/metrics", metrics)]
    app = Starlette(routes=routes)
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off", access_log=False)
    return _Server(config)


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
