"""Changing what is said of an experiment."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import change as db
from app.db.rows import AnyRow
from app.domain.plain_json import refuse
from app.errors import BadInput, Conflict, NotFound, Place
from app.services.access import Caller
from app.services.experiments.drafts import read_config
from app.services.experiments.fields import check_fields, check_tags, joined
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.experiments.read import ExperimentJson, read_experiment

MERGED = frozenset({"tags", "declarations", "data_refs"})


@dataclass(frozen=True, slots=True)
class Update:
    """The keys that were sent, with their values; `config` is unparsed."""

    sent: dict[str, Any]
    merge: bool


async def update_experiment(
    session: AsyncSession, caller: Caller, path: ExperimentPath, update: Update
) -> ExperimentJson:
    """Set what was sent; null empties a key. Raises BadInput for a taken name, Conflict for another spec."""
    brief = await get_brief(session, caller, path, change=True)
    sent = dict(update.sent)
    config = await read_config(sent.pop("config", None))
    check_fields(
        name=sent.get("name"),
        description=sent.get("description"),
        tags=sent.get("tags"),
        declarations=sent.get("declarations"),
    )
    row = await db.lock(session, brief.id)
    if row is None:
        raise NotFound("There is no such experiment.")
    if config is not None and config != row.config:
        raise Conflict("The spec of an experiment can't be changed: restart it with the new one.")
    values = _values(row, sent, update.merge)
    if values:
        try:
            await db.update_columns(session, brief.id, values)
        except IntegrityError as error:
            if "uq_experiments_project_id_name" not in str(error.orig):
                raise
            place = Place(("name",), "is taken by another experiment of this project", "taken")
            raise BadInput(f"name: {place.msg}", errors=[place]) from None
    return await read_experiment(session, caller, path)


def _values(row: AnyRow, sent: dict[str, Any], merge: bool) -> dict[str, Any]:
    values = dict(sent)
    if merge:  # null adds nothing
        values = {key: value for key, value in values.items() if value is not None or key not in MERGED}
    if "tags" in values:
        values["tags"] = joined(row.tags if merge else None, values["tags"])
        refuse(check_tags(values["tags"] or []))
    if merge and values.get("declarations"):
        values["declarations"] = {**(row.declarations or {}), **values["declarations"]}
    if merge and isinstance(values.get("data_refs"), dict) and isinstance(row.data_refs, dict):
        values["data_refs"] = {**row.data_refs, **values["data_refs"]}  # trackers send one at a time
    return values
