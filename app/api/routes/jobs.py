"""An experiment's jobs."""

from typing import Annotated

from fastapi import Path, Request, Response

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, PageDep, SessionDep, page_answer
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.jobs import JobDetail, JobPage
from app.api.schemas.paths import ExperimentPathDep
from app.api.schemas.statuses import JobStatusPage
from app.services import jobs

router = api_router("jobs")

PATH = "/{username}/{project_name}/experiments/{id}/jobs"
JobId = Annotated[int, Path(description="The job's id.", examples=[1])]


@router.get(PATH, response_model=JobPage, responses=errors(400, 403, 404))
async def list_experiment_jobs(
    request: Request, session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep, page: PageDep
) -> Response:
    """List an experiment's jobs.

    The master first.
    """
    count, rows = await jobs.list_jobs(session, caller, path, limit=page.limit, offset=page.offset)
    return page_answer(request, page, count, rows)


@router.get(f"{PATH}/{{job_id}}", response_model=JobDetail, responses=errors(400, 403, 404))
async def get_experiment_job(
    session: SessionDep, caller: AnyCallerDep, path: ExperimentPathDep, job_id: JobId
) -> Response:
    """Get a job.

    With what was launched.
    """
    return JsonAnswer(await jobs.get_job(session, caller, path, job_id))


@router.get(f"{PATH}/{{job_id}}/statuses", response_model=JobStatusPage, responses=errors(400, 403, 404))
async def list_experiment_job_statuses(
    request: Request,
    session: SessionDep,
    caller: AnyCallerDep,
    path: ExperimentPathDep,
    job_id: JobId,
    page: PageDep,
) -> Response:
    """List a job's statuses.

    Its history, oldest first.
    """
    count, rows = await jobs.list_job_statuses(
        session, caller, path, job_id, limit=page.limit, offset=page.offset
    )
    return page_answer(request, page, count, rows)
