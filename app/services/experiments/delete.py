"""Deleting an experiment: hidden at once, ended and removed by the reconciler."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import change as db
from app.db.notify import Channel, announce
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.experiments.stop import want_stop
from app.services.tokens import kill_job_tokens


async def delete_experiment(session: AsyncSession, caller: Caller, path: ExperimentPath) -> None:
    """Allowed in every state. From the commit on nobody sees it; all that is left of it goes,
    even if the service dies in between."""
    brief = await get_brief(session, caller, path, change=True)
    await want_stop(session, brief.id)
    await db.want_deleted(session, brief.id)
    await kill_job_tokens(session, brief.id)
    announce(session, Channel.EXPERIMENT, brief.id)
    announce(session, Channel.WORK)
