"""The HTTP service, composed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

from app.api.heads import AnswerHeads
from app.api.observe import Observe, RequestMetrics
from app.api.paths import NormalizePaths
from app.api.problems import install_error_handlers
from app.api.proxies import TrustProxies, read_networks
from app.api.routes import ROUTES
from app.api.service import Service
from app.api.streams import is_no_cut
from app.db.engine import create_engine, create_sessions
from app.db.notify import Channel, Listener, Notifier
from app.services.logs.hub import LogHub
from app.services.tokens import TokenCache
from app.services.usage import UsageHub
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.storage.log_objects import LocalLogObjects
from app.storage.tar_reader import CodeLimits


def create_service(settings: Settings) -> Service:
    """The parts of one serving process; nothing connects yet."""
    if settings.database_url is None:
        raise ValueError("no database: set DATABASE_URL")
    engine = create_engine(
        settings.database_url,
        pool=settings.database_pool,
        timeout=settings.database_timeout,
        patience=settings.database_timeout,
        name="bunsen serve",
    )
    notifier = Notifier(engine)
    listener = Listener(engine)
    notifier.tell_nearby(listener)
    sessions = create_sessions(engine, notifier)
    return Service(
        settings=settings,
        engine=engine,
        sessions=sessions,
        notifier=notifier,
        listener=listener,
        tokens=TokenCache(settings.token_cache),
        logs=LogHub(sessions, listener, LocalLogObjects(settings.data / "logs")),
        usage=UsageHub(sessions),
        code=CodeArchives(
            settings.data / "code",
            CodeLimits(settings.max_upload, settings.max_unpacked, settings.max_entries),
        ),
    )


async def _forget_dead_tokens(service: Service) -> None:
    """Drop a token from the cache as soon as its death is heard of."""
    with service.listener.subscribe(Channel.TOKEN) as deaths:
        while True:
            if await deaths.wait(3600):
                hashes, missed = deaths.take()
                service.tokens.drop(hashes, everything=missed)


async def _cut_streams(service: Service) -> None:
    """End the streams before the server waits for them."""
    await service.closing.wait()
    service.logs.guards.cut_all()


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.notifier.start()
    await service.listener.start()
    await service.logs.start()
    forgetting = asyncio.create_task(_forget_dead_tokens(service))
    cutting = asyncio.create_task(_cut_streams(service))
    try:
        yield
    finally:
        service.closing.set()
        forgetting.cancel()
        cutting.cancel()
        await service.logs.close()
        await service.listener.close()
        await service.notifier.close()
        await service.servers.close()
        await service.engine.dispose()


def create_app(settings: Settings) -> FastAPI:
    """The whole service as an ASGI application."""
    app = FastAPI(
        lifespan=_lifespan,
        routes=ROUTES,
        redirect_slashes=False,
        openapi_url=None,  # app/api/routes/docs.py serves it
    )
    app.state.service = create_service(settings)
    app.state.registry = CollectorRegistry()
    logging.getLogger("uvicorn.error").addFilter(is_no_cut)
    install_error_handlers(app)
    app.add_middleware(AnswerHeads)
    app.add_middleware(NormalizePaths)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["DELETE", "GET", "PATCH", "POST", "PUT"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Range"],
            expose_headers=["Content-Disposition", "Content-Range", "Retry-After", "X-Request-Id"],
        )
    app.add_middleware(TrustProxies, networks=read_networks(settings.trusted_proxies))
    app.add_middleware(Observe, metrics=RequestMetrics(app.state.registry))
    return app
