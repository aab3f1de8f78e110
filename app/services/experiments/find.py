"""The experiment that a path names, if the caller may see or change it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import find as db
from app.domain.lifecycle import Status
from app.errors import NotFound
from app.services.access import Caller, check_access, not_there


@dataclass(frozen=True, slots=True)
class BriefExperiment:
    """What calls below an experiment need to know of it. `tracked`: it has no spec, nothing is launched."""

    id: int
    uuid: str
    status: Status
    outputs_uuid: str
    outputs_volume: str | None
    attempt: int
    tracked: bool
    project_id: int
    project_uuid: str
    code_id: int | None
    has_tensorboard: bool | None
    owner_id: int


@dataclass(frozen=True, slots=True)
class ExperimentPath:
    """The names in an experiment's path."""

    username: str
    project: str
    id: int


async def get_brief(
    session: AsyncSession, caller: Caller, path: ExperimentPath, *, change: bool = False
) -> BriefExperiment:
    """The experiment, or NotFound where there is none that the caller may see, Forbidden where it may see
    but not change it."""
    if caller.is_job:
        check_access(caller, 0, False, change=change, experiment_id=path.id)
    row = await db.find_brief(session, path.username, path.project, path.id)
    if row is None:
        raise not_there(caller, "There is no such experiment.")
    if not caller.is_job:
        try:
            check_access(caller, row.owner_id, row.is_public, change=change)
        except NotFound:
            raise NotFound("There is no such experiment.") from None
    return BriefExperiment(
        id=row.id,
        uuid=row.uuid,
        status=Status(row.status),
        outputs_uuid=row.outputs_uuid,
        outputs_volume=row.outputs_volume,
        attempt=row.attempt,
        tracked=row.tracked,
        project_id=row.project_id,
        project_uuid=row.project_uuid,
        code_id=row.code_id,
        has_tensorboard=row.has_tensorboard,
        owner_id=row.owner_id,
    )
