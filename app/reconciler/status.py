"""What the reconciler says of itself over HTTP, for probes: alive, and ready or not and why."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SILENCE = 30.0  # seconds without a finished pass after which a leader counts as stuck


@dataclass
class ReconcilerStatus:
    """Written by the worker and its loop: whether it leads, why it can't on the database's schema, when its
    last pass ended, and which steps fail."""

    leads: bool = False
    schema: str | None = None
    passed_at: float = 0.0  # monotonic
    failing: dict[str, str] = field(default_factory=dict)  # the step, and its error

    def begin(self) -> None:
        """It leads from now on."""
        self.leads, self.passed_at = True, time.monotonic()

    def end(self) -> None:
        """It leads no more."""
        self.leads = False
        self.failing.clear()

    def trouble(self) -> dict[str, str]:
        """What is wrong; empty when it is ready. One that waits to lead is."""
        if not self.leads:
            return {"schema": self.schema} if self.schema else {}
        stuck = time.monotonic() - self.passed_at > SILENCE
        return {**self.failing, **({"loop": f"no pass ended for {SILENCE:g} s"} if stuck else {})}


def status_server(status: ReconcilerStatus, host: str, port: int) -> uvicorn.Server:
    """A server of `/healthz` and `/readyz`; its `serve()` runs until it is cancelled."""

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        trouble = status.trouble()
        word = "not ready" if trouble else "leads" if status.leads else "stands by"
        return JSONResponse({"status": word, "checks": trouble}, status_code=503 if trouble else 200)

    app = Starlette(routes=[Route("/healthz", health), Route("/readyz", ready)])
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off", access_log=False)
    return _Server(config)


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
