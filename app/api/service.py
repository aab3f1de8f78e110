"""What a serving process is made of; routes reach it through `request.app.state.service`."""

import asyncio
from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener, Notifier
from app.launchers.servers import JobServers
from app.services.logs.hub import LogHub
from app.services.metrics.history import HistoryCache
from app.services.tokens import TokenCache
from app.services.usage import UsageHub
from app.settings import Settings
from app.storage.code_archives import CodeArchives


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
    servers: JobServers = field(default_factory=JobServers)  # TensorBoards
    histories: HistoryCache = field(default_factory=HistoryCache)
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # streams end when it is set


async def get_service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
