"""Stopping an experiment: at once before it is launched, else by the reconciler."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import change as db
from app.db.notify import Channel, announce
from app.domain.lifecycle import DONE, Status
from app.errors import NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.experiments.read import ExperimentJson, read_experiment
from app.services.statuses import move_experiment


async def stop_experiment(session: AsyncSession, caller: Caller, path: ExperimentPath) -> ExperimentJson:
    """Ask it to end; done already, nothing changes. Answers the experiment."""
    brief = await get_brief(session, caller, path, change=True)
    if brief.status not in DONE:
        await want_stop(session, brief.id)
    return await read_experiment(session, caller, path)


async def want_stop(session: AsyncSession, experiment_id: int) -> None:
    """Store the wish; what was never launched is `stopped` at once."""
    row = await db.lock(session, experiment_id)
    if row is None:
        raise NotFound("There is no such experiment.")
    seen = Status(row.status)
    if seen in DONE:
        return
    await db.want_stop(session, experiment_id)
    if row.config is None or row.launched_at is None:
        await move_experiment(session, experiment_id, seen, Status.STOPPED)
    announce(session, Channel.WORK)
