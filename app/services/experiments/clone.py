"""Restart, resume and copy: a new experiment that begins from another."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import change as db_change
from app.db.experiments.references import find_original
from app.db.rows import AnyRow
from app.domain.lifecycle import Status
from app.domain.spec.merge import changed_declarations, merge_config, merge_declarations
from app.errors import BadInput, Conflict, NotFound
from app.services.access import Caller
from app.services.experiments.create import open_project, store
from app.services.experiments.drafts import Surroundings, make_draft, read_config
from app.services.experiments.fields import check_fields
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.experiments.idempotency import Repeat, take_key
from app.services.experiments.read import ExperimentJson, read_experiment
from app.settings import Settings


class Strategy(StrEnum):
    """What becomes of the original's outputs: fresh ones, the same folder, or a copy of it."""

    RESTART = "restart"
    RESUME = "resume"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Changes:
    """What the new one has in place of the original's. `config` merges over the original's spec."""

    config: Any = None
    declarations: dict[str, Any] | None = None
    description: str | None = None
    update_code: bool = False


async def clone_experiment(
    session: AsyncSession,
    caller: Caller,
    settings: Settings,
    path: ExperimentPath,
    strategy: Strategy,
    changes: Changes,
    repeat: Repeat | None,
) -> ExperimentJson:
    """A new experiment with `original` set. Raises Conflict for a resume while its outputs are in use."""
    await get_brief(session, caller, path, change=True)
    project = await open_project(session, caller, path.username, path.project)
    if repeat is not None:
        first = await take_key(session, caller, settings, project, repeat)
        if first is not None:
            return await read_experiment(session, caller, ExperimentPath(path.username, path.project, first))
    original = await find_original(session, path.id)
    if original is None:
        raise NotFound("There is no such experiment.")
    if strategy is Strategy.RESUME and await db_change.outputs_in_use(session, original.outputs_uuid):
        raise Conflict("An experiment that uses these outputs is not done: stop it or wait for its end.")
    check_fields(description=changes.description, declarations=changes.declarations)
    resumes = strategy is Strategy.RESUME
    config, given = _declarations(original, await _config(original, changes), changes)
    draft = await make_draft(
        session,
        caller,
        settings,
        Surroundings(project.owner, project.id, path.project, caller.username),
        experiment_id=project.experiment_id,
        config=config,
        given=given,
        outputs_uuid=original.outputs_uuid if resumes else None,
    )
    values = {
        "name": None,
        "description": original.description if changes.description is None else changes.description,
        "ttl": original.ttl,
        "code_id": project.code_id if changes.update_code else original.code_id,
        "is_clone": True,
        "is_resume": resumes,
        "original_id": original.original_id if resumes and original.is_resume else original.id,
        "outputs_uuid": original.outputs_uuid if resumes else draft.uuid,
        "copy_of": original.outputs_uuid if strategy is Strategy.COPY else None,
    }
    if resumes:
        values["outputs_volume"] = original.outputs_volume
    history = (Status.CREATED, Status.RESUMING) if resumes else (Status.CREATED,)
    await store(session, caller, project.id, draft, values, original.tags, history)
    return await read_experiment(
        session, caller, ExperimentPath(path.username, path.project, project.experiment_id)
    )


async def _config(original: AnyRow, changes: Changes) -> dict[str, Any] | None:
    config: dict[str, Any] | None = original.config
    if changes.config is None:
        return config
    if config is None:
        raise BadInput("This experiment is only tracked: it has no spec to change.")
    patch = await read_config(changes.config)
    return merge_config(config, patch or {})


def _declarations(
    original: AnyRow, config: dict[str, Any] | None, changes: Changes
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The spec and what is declared over it: as the original was made, changed since, and changed now."""
    current = original.declarations or {}
    given = dict(original.given_declarations or {})
    if original.config is None:  # nothing was rendered: they are as they were sent last
        given = current
    else:
        given |= changed_declarations(original.config, given, current)
    if changes.declarations is not None:
        config, given = merge_declarations(config, given, changes.declarations)
    return config, given or None
