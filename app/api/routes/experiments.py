"""Experiments: list, create, read, change, delete, stop."""

from typing import Annotated

from fastapi import Body, Header, Query, Request, Response

from app.api.answers import JsonAnswer
from app.api.deps import (
    MAX_OFFSET,
    AnyCallerDep,
    CallerDep,
    Page,
    PageDep,
    ServiceDep,
    SessionDep,
    page_links,
)
from app.api.flags import Flag
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.experiments import (
    Experiment,
    ExperimentCreate,
    ExperimentPage,
    ExperimentUpdate,
    plain,
)
from app.api.schemas.paths import ExperimentPathDep, ProjectName, Username
from app.services.experiments import delete, stop
from app.services.experiments.create import NewExperiment
from app.services.experiments.create import create_experiment as create
from app.services.experiments.drafts import read_config
from app.services.experiments.idempotency import read_repeat
from app.services.experiments.list import ListWish, list_project_experiments
from app.services.experiments.list import list_all_experiments as list_all
from app.services.experiments.read import ExperimentJson, read_experiment
from app.services.experiments.update import Update
from app.services.experiments.update import update_experiment as update

router = api_router("experiments")

QueryText = Annotated[
    str,
    Query(
        description="Conditions joined by `,`: `status:succeeded,metric.loss:<0.1`.",
        examples=["status:succeeded"],
        max_length=16_384,
    ),
]
SortText = Annotated[
    str,
    Query(
        description="Fields joined by `,`: `-metric.accuracy,created_at`.",
        examples=["-metric.accuracy"],
        max_length=8_192,
    ),
]
# What older clients send.
Independent = Annotated[
    Flag | None,
    Query(description="Every experiment is: changes nothing.", deprecated=True, examples=[True]),
]
WithMetrics = Annotated[
    Flag | None, Query(alias="metrics", description="Changes nothing.", deprecated=True, examples=[True])
]
WithDeclarations = Annotated[
    Flag | None, Query(alias="declarations", description="Changes nothing.", deprecated=True, examples=[True])
]
Group = Annotated[
    int | None,
    Query(
        description="There are no groups: finds none.",
        ge=0,
        le=MAX_OFFSET,
        deprecated=True,
        examples=[1],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", description="Makes the call repeatable for 24 hours.", examples=["7f2c1a90"]
    ),
]


def _page(request: Request, page: Page, count: int, rows: list[ExperimentJson]) -> JsonAnswer:
    links = page_links(request, page, count)
    return JsonAnswer({"count": count, "next": links.next, "previous": links.previous, "results": rows})


@router.get("/experiments", response_model=ExperimentPage, responses=errors(400))
async def list_all_experiments(
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    page: PageDep,
    query: QueryText = "",
    sort: SortText = "",
    independent: Independent = None,
    with_metrics: WithMetrics = None,
    with_declarations: WithDeclarations = None,
    group: Group = None,
) -> Response:
    """List experiments of all projects.

    Those of every project that the caller may see, newest update first.
    """
    wish = ListWish(query, sort, group, page.limit, page.offset)
    count, rows = await list_all(session, caller, wish)
    return _page(request, page, count, rows)


@router.get(
    "/{username}/{project_name}/experiments", response_model=ExperimentPage, responses=errors(400, 404)
)
async def list_experiments(
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    page: PageDep,
    query: QueryText = "",
    sort: SortText = "",
    independent: Independent = None,
    with_metrics: WithMetrics = None,
    with_declarations: WithDeclarations = None,
    group: Group = None,
) -> Response:
    """List a project's experiments.

    Filtered by `query`, sorted by `sort`, newest update first.
    """
    wish = ListWish(query, sort, group, page.limit, page.offset)
    count, rows = await list_project_experiments(session, caller, username, project_name, wish)
    return _page(request, page, count, rows)


@router.post(
    "/{username}/{project_name}/experiments",
    response_model=Experiment,
    status_code=201,
    responses=errors(400, 403, 404, 409),
)
async def create_experiment(
    service: ServiceDep,
    session: SessionDep,
    caller: CallerDep,
    username: Username,
    project_name: ProjectName,
    body: Annotated[ExperimentCreate | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create an experiment.

    With `config` it is built and run; without, it is only tracked.
    """
    sent = body or ExperimentCreate()
    repeat = read_repeat(idempotency_key, "create", sent.model_dump(mode="json", exclude_unset=True))
    new = NewExperiment(
        name=sent.name,
        description=sent.description,
        tags=sent.tags,
        config=await read_config(sent.config),
        declarations=plain(sent.declarations),
        ttl=sent.ttl,
        run_env=sent.run_env,
        data_refs=sent.data_refs,
    )
    row = await create(session, caller, service.settings, username, project_name, new, repeat)
    return JsonAnswer(row, status_code=201)


@router.get(
    "/{username}/{project_name}/experiments/{id}", response_model=Experiment, responses=errors(400, 403, 404)
)
async def get_experiment(session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep) -> Response:
    """Get an experiment.

    With the newest value of each metric.
    """
    return JsonAnswer(await read_experiment(session, caller, path))


@router.patch(
    "/{username}/{project_name}/experiments/{id}",
    response_model=Experiment,
    responses=errors(400, 403, 404, 409),
)
async def update_experiment(
    session: SessionDep,
    caller: AnyCallerDep,
    path: ExperimentPathDep,
    body: Annotated[ExperimentUpdate | None, Body()] = None,
) -> Response:
    """Change an experiment.

    Its name, description, tags and declarations. Its spec can't be changed.
    """
    fields = body or ExperimentUpdate()
    sent = {key: getattr(fields, key) for key in fields.model_fields_set - {"merge"}}
    sent = {key: plain(value) for key, value in sent.items()}
    return JsonAnswer(await update(session, caller, path, Update(sent, bool(fields.merge))))


@router.delete(
    "/{username}/{project_name}/experiments/{id}",
    status_code=204,
    response_class=Response,
    responses=errors(400, 403, 404),
)
async def delete_experiment(session: SessionDep, caller: CallerDep, path: ExperimentPathDep) -> Response:
    """Delete an experiment.

    In every state: what runs of it is stopped, and all that is kept of it goes.
    """
    await delete.delete_experiment(session, caller, path)
    return Response(status_code=204)


@router.post(
    "/{username}/{project_name}/experiments/{id}/stop",
    response_model=Experiment,
    responses=errors(400, 403, 404),
)
async def stop_experiment(session: SessionDep, caller: CallerDep, path: ExperimentPathDep) -> Response:
    """Stop an experiment.

    Its jobs get SIGTERM, then the grace period, then SIGKILL; done already, nothing changes.
    """
    return JsonAnswer(await stop.stop_experiment(session, caller, path))
