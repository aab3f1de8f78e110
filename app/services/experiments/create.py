"""Making an experiment: from a spec, or only to be tracked."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import create as db
from app.db.notify import Channel, announce
from app.db.rows import AnyRow
from app.domain.lifecycle import Status
from app.domain.plain_json import refuse
from app.errors import BadInput, NotFound, Place
from app.services.access import Caller, check_access
from app.services.experiments.drafts import Draft, Surroundings, make_draft
from app.services.experiments.fields import check_fields, check_tags, joined
from app.services.experiments.find import ExperimentPath
from app.services.experiments.idempotency import Repeat, take_key
from app.services.experiments.read import ExperimentJson, read_experiment
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class NewExperiment:
    """What was sent; `config` is the parsed spec."""

    name: str | None
    description: str | None
    tags: list[str] | None
    config: dict[str, Any] | None
    declarations: dict[str, Any] | None
    ttl: int | None
    run_env: Any = None
    data_refs: Any = None


async def open_project(session: AsyncSession, caller: Caller, username: str, project: str) -> AnyRow:
    """The project, if the caller may change it, with a new experiment's id. Raises NotFound, Forbidden."""
    row = await db.open_project(session, username, project)
    if row is None:
        raise NotFound("There is no such project.")
    check_access(caller, row.owner_id, row.is_public, change=True)
    return row


async def create_experiment(
    session: AsyncSession,
    caller: Caller,
    settings: Settings,
    username: str,
    project_name: str,
    new: NewExperiment,
    repeat: Repeat | None,
) -> ExperimentJson:
    """Store it and its first status. A repeat of an idempotency key answers the first one's experiment.

    Raises BadInput with every place, Conflict for a key that was used for something else.
    """
    project = await open_project(session, caller, username, project_name)
    if repeat is not None:
        first = await take_key(session, caller, settings, project, repeat)
        if first is not None:
            return await read_experiment(session, caller, ExperimentPath(username, project_name, first))
    check_fields(name=new.name, description=new.description, tags=new.tags, declarations=new.declarations)
    draft = await make_draft(
        session,
        caller,
        settings,
        Surroundings(project.owner, project.id, project_name, caller.username),
        experiment_id=project.experiment_id,
        config=new.config,
        given=new.declarations,
    )
    values = {
        "name": new.name,
        "description": new.description,
        "ttl": new.ttl,
        "code_id": project.code_id,
        "outputs_uuid": draft.uuid,
        "run_env": new.run_env,
        "data_refs": new.data_refs,
    }
    await store(session, caller, project.id, draft, values, new.tags, (Status.CREATED,))
    return await read_experiment(
        session, caller, ExperimentPath(username, project_name, project.experiment_id)
    )


async def store(
    session: AsyncSession,
    caller: Caller,
    project_id: int,
    draft: Draft,
    values: dict[str, Any],
    tags: list[str] | None,
    history: tuple[Status, ...],
) -> None:
    """Insert the row; its status is the last of `history`."""
    rendered = draft.rendered
    all_tags = joined(tags, rendered.tags if rendered else None)
    refuse(check_tags(all_tags or []))
    row = {
        "id": draft.id,
        "uuid": draft.uuid,
        "project_id": project_id,
        "user_id": caller.user_id,
        "tags": all_tags,
        "config": draft.config,
        "given_declarations": draft.given,
        "declarations": rendered.declarations if rendered else draft.given,
        "resources": rendered.resources if rendered else None,
        "num_jobs": len(rendered.jobs) if rendered else 0,
        "max_retries": rendered.max_retries if rendered else 0,
        "reads": list(draft.reads),
        "outputs_volume": rendered.outputs_volume if rendered else None,
        "status": history[-1].value,
        **values,
    }
    try:
        await db.add(session, row, [status.value for status in history])
    except IntegrityError as error:
        if "uq_experiments_project_id_name" not in str(error.orig):
            raise
        place = Place(("name",), "is taken by another experiment of this project", "taken")
        raise BadInput(f"name: {place.msg}", errors=[place]) from None
    if rendered is not None:
        announce(session, Channel.WORK)
