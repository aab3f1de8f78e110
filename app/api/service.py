"""What a serving process is made of; routes reach it through `request.app.state.service`."""

import asyncio
import ssl
from dataclasses import dataclass, field

import httpx
from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener, Notifier
from app.services.logs.hub import LogHub
from app.services.metrics.history import HistoryCache
from app.services.tokens import TokenCache
from app.services.usage import UsageHub
from app.settings import Settings
from app.storage.code_archives import CodeArchives

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; to load whom to trust takes 20 ms


def _proxy_client() -> httpx.AsyncClient:
    """For TensorBoards: they answer slowly while they read; no proxy of the environment stands between."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=20)
    timeout = httpx.Timeout(60, connect=5)
    return httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False, verify=NO_TLS)


@dataclass
class Service:
    """The composed parts of one serving process."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    notifier: Notifier
    listener: Listener
    tokens: TokenCache
    logs: LogHub
    usage: UsageHub
    code: CodeArchives
    proxy: httpx.AsyncClient = field(default_factory=_proxy_client)
    histories: HistoryCache = field(default_factory=HistoryCache)
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # streams end when it is set


async def get_service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
