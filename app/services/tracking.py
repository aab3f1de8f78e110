"""What trackers say of an experiment: statuses, signs of life, the surroundings of its run."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import history
from app.db import tracking as db
from app.db.tables import ExperimentStatus
from app.domain.lifecycle import DONE, Status
from app.domain.names import MAX_LONG_TEXT
from app.domain.plain_json import require_text
from app.errors import Conflict, NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.jobs import history_json
from app.services.statuses import post_status

Json = dict[str, Any]


async def list_statuses(
    session: AsyncSession, caller: Caller, path: ExperimentPath, *, limit: int, offset: int
) -> tuple[int, list[Json]]:
    """The experiment's history, oldest first. Raises NotFound, Forbidden."""
    brief = await get_brief(session, caller, path)
    count, rows = await history.page(session, ExperimentStatus, brief.id, limit=limit, offset=offset)
    return count, history_json(rows, "experiment", with_details=False)


async def add_status(
    session: AsyncSession, caller: Caller, path: ExperimentPath, status: Status, message: str | None
) -> Json:
    """What a tracker says: a move where the experiment is only tracked, else a message of its present status.

    Answers the row. Raises Conflict out of a finished status, BadInput for a message that can't be kept.
    """
    if message is not None:
        require_text(message, ("message",), max_length=MAX_LONG_TEXT)
    brief = await get_brief(session, caller, path, change=True)
    locked = await db.lock(session, brief.id)
    if locked is None:
        raise NotFound("There is no such experiment.")
    seen = Status(locked.status)
    if seen in DONE:
        raise Conflict(f"The experiment is {seen} already: that is final.")
    row = await post_status(
        session, brief.id, seen, status if brief.tracked else seen, _said(brief.tracked, status, message)
    )
    return history_json([row], "experiment", with_details=False)[0]


def _said(tracked: bool, status: Status, message: str | None) -> str | None:
    """Where pods or processes alone move it, the word that was posted is kept in the message."""
    if tracked:
        return message
    return f"{status}: {message}" if message else str(status)


async def beat(session: AsyncSession, caller: Caller, path: ExperimentPath) -> None:
    """A sign of life. Raises NotFound, Forbidden."""
    brief = await get_brief(session, caller, path, change=True)
    await db.set_heartbeat(session, brief.id)


async def get_run(session: AsyncSession, caller: Caller, path: ExperimentPath) -> Json:
    """What was posted of the run's surroundings, each null where nothing was. Raises NotFound, Forbidden."""
    brief = await get_brief(session, caller, path)
    row = await db.find_run(session, brief.id)
    if row is None:
        raise NotFound("There is no such experiment.")
    return {"run_env": row.run_env, "data_refs": row.data_refs, "code_reference": row.code_reference}
