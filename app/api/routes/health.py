"""Alive, ready and measured: the calls of probes, outside the API."""

import asyncio
import logging
from enum import StrEnum

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from sqlalchemy import text

from app.api.deps import ServiceDep
from app.api.routers import api_router
from app.api.schemas.base import ReadModel
from app.api.service import Service
from app.db.engine import transaction
from app.db.migrations import current_schema
from app.errors import NotFound, Unavailable
from app.storage.space import lack_of_space

logger = logging.getLogger(__name__)

router = api_router("health", prefix="")

RECONCILER_SILENCE = 15.0  # seconds without a sign of life after which it counts as away


class Health(ReadModel):
    """The process answers."""

    status: str = Field(description="`ok`.", examples=["ok"])


class ReadinessStatus(StrEnum):
    """`ready`, or `degraded` when it serves but something is away."""

    READY = "ready"
    DEGRADED = "degraded"


class Readiness(ReadModel):
    """Whether the service can serve, and what is degraded though it can."""

    status: ReadinessStatus = Field(description="Whether all is there.", examples=["ready"])
    checks: dict[str, str] = Field(
        description="What was looked at, and what was found.",
        examples=[{"database": "ok", "schema": "ok", "reconciler": "ok", "disk": "ok"}],
    )


@router.get("/healthz")
async def get_health() -> Health:
    """Get whether the process is alive.

    It is when it answers.
    """
    return Health(status="ok")


@router.get("/readyz")
async def get_readiness(service: ServiceDep) -> Readiness:
    """Get whether the service is ready.

    It is when database and schema are; a reconciler that is away, or a disk without space, is told as
    `degraded`.
    """
    checks = {"database": "ok", "schema": "ok", "reconciler": "ok", "disk": "ok"}
    await _check_database(service)
    if not await _reconciler_lives(service):
        checks["reconciler"] = "away: experiments are accepted and wait"
    if lack := await asyncio.to_thread(lack_of_space, service.settings.data):
        checks["disk"] = f"{lack}: what needs space waits or is refused"
    whole = all(value == "ok" for value in checks.values())
    return Readiness(status=ReadinessStatus.READY if whole else ReadinessStatus.DEGRADED, checks=checks)


async def _check_database(service: Service) -> None:
    try:
        async with transaction(service.sessions) as session:
            schema = await current_schema(session)
    except Exception as error:
        logger.warning("the database can't be reached: %s", type(error).__name__)
        raise Unavailable("The database can't be reached.") from error
    if trouble := schema.trouble():
        raise Unavailable(trouble)


async def _reconciler_lives(service: Service) -> bool:
    query = text(
        "SELECT EXTRACT(EPOCH FROM clock_timestamp() - seen_at) FROM heartbeats WHERE name = 'reconciler'"
    )
    async with transaction(service.sessions) as session:
        age = (await session.execute(query)).scalar_one_or_none()
    return age is not None and float(age) < RECONCILER_SILENCE


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def get_service_metrics(request: Request, service: ServiceDep) -> Response:
    """Prometheus' text format."""
    if not service.settings.metrics_open:
        raise NotFound("There is nothing at this path.")
    content = generate_latest(request.app.state.registry)
    return Response(content, media_type=CONTENT_TYPE_LATEST)
