"""Metrics: log and read them."""

import asyncio
from typing import Annotated, Any

from fastapi import Body, Query, Request, Response, status
from pydantic import PlainValidator

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, MetricsPageDep, ServiceDep, SessionDep, page_links
from app.api.metric_bodies import MetricRoute, read_metrics
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.metrics import (
    Metric,
    MetricBatch,
    MetricBatchCreate,
    MetricCreate,
    MetricHistory,
    MetricPage,
)
from app.api.schemas.paths import ExperimentPathDep
from app.domain.metric_points import Point, Points, read_batch, read_point, read_points
from app.domain.metrics import MAX_KEY
from app.services.metrics.history import read_history
from app.services.metrics.log import log_batch, log_metric, log_metrics
from app.services.metrics.read import list_metrics
from app.services.metrics.rows import MetricRow

PATH = "/{username}/{project_name}/experiments/{id}/metrics"
LARGE = 1000  # rows from which an answer is made in a thread

router = api_router("metrics", route_class=MetricRoute)


def _as_sent(body: bytes) -> bytes:
    return body


PointsBody = Annotated[
    bytes,
    PlainValidator(_as_sent, json_schema_input_type=MetricCreate),
    Body(description="A point."),
]
BatchBody = Annotated[
    bytes,
    PlainValidator(_as_sent, json_schema_input_type=MetricBatchCreate),
    Body(description="Points, and an id that makes the call repeatable."),
]
Name = Annotated[str, Query(max_length=MAX_KEY, description="The metric's name.", examples=["loss"])]
MaxPoints = Annotated[
    int, Query(ge=2, le=10_000, description="How many points at the most.", examples=[1000])
]


@router.get(PATH, response_model=MetricPage, responses=errors(400, 403, 404))
async def list_experiment_metrics(
    request: Request,
    path: ExperimentPathDep,
    caller: AnyCallerDep,
    session: SessionDep,
    page: MetricsPageDep,
) -> Response:
    """List an experiment's points.

    Oldest first.
    """
    count, rows = await list_metrics(session, caller, path, limit=page.limit, offset=page.offset)
    links = page_links(request, page, count)
    return JsonAnswer(
        {
            "count": count,
            "next": links.next,
            "previous": links.previous,
            "results": [row.as_json() for row in rows],
        }
    )


@router.post(
    PATH,
    status_code=status.HTTP_201_CREATED,
    response_model=Metric,
    responses=errors(400, 403, 404, 413),
)
async def create_experiment_metric(
    request: Request, path: ExperimentPathDep, caller: AnyCallerDep, session: SessionDep, body: PointsBody
) -> Response:
    """Log a point, whatever the experiment's status.

    Values are numbers; here alone the tokens NaN, Infinity and -Infinity are taken, also as strings. A form
    with the fields `values` (JSON), `step` and `created_at` is taken, too, and an array of points, all or
    none, which is answered by `{count, results}`.
    """
    points = await read_metrics(request, body, _read)
    if isinstance(points, Point):
        row = await log_metric(session, caller, path, points)
        return JsonAnswer(row.as_json(), status.HTTP_201_CREATED)
    rows = await log_metrics(session, caller, path, points)
    if len(rows) > LARGE:
        return await asyncio.to_thread(_list, rows)
    return _list(rows)


def _read(item: Any) -> Point | Points:
    return read_points(item) if isinstance(item, list) else read_point(item)


def _list(rows: list[MetricRow]) -> Response:
    results = [row.as_json() for row in rows]
    return JsonAnswer({"count": len(results), "results": results}, status.HTTP_201_CREATED)


@router.post(
    f"{PATH}/batch",
    status_code=status.HTTP_201_CREATED,
    response_model=MetricBatch,
    responses=errors(400, 403, 404, 409, 413),
)
async def create_experiment_metric_batch(
    request: Request, path: ExperimentPathDep, caller: AnyCallerDep, session: SessionDep, body: BatchBody
) -> Response:
    """Log many points, all or none.

    A `batch_id` belongs to the experiment, for its life: sent again with the same content it changes
    nothing and answers the same; with another content it is refused.
    """
    batch = await read_metrics(request, body, read_batch)
    count = await log_batch(session, caller, path, batch)
    return JsonAnswer({"batch_id": batch.batch_id, "count": count}, status.HTTP_201_CREATED)


@router.get(f"{PATH}/history", response_model=MetricHistory, responses=errors(400, 403, 404))
async def get_experiment_metric_history(
    service: ServiceDep,
    path: ExperimentPathDep,
    caller: AnyCallerDep,
    session: SessionDep,
    name: Name,
    max_points: MaxPoints = 1000,
) -> Response:
    """Get one metric over time.

    Oldest first, thinned to at most `max_points`. The first and the last point are always there. Those
    between are divided into stretches of equal length, and of each its smallest and its largest value stay,
    so that no peak is lost. NaN is no extreme: a stretch of nothing else keeps its first.
    """
    body = await read_history(session, service.histories, caller, path, name, max_points=max_points)
    return Response(body, media_type="application/json")
