"""Tickets for log streams."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs.owners import has_job
from app.errors import NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.tickets import NewTicket, TicketKind, create_ticket


async def create_log_ticket(
    session: AsyncSession, caller: Caller, path: ExperimentPath, job_id: int | None, opens: str
) -> NewTicket:
    """A ticket for the stream at `opens`: an experiment's log, or one of its jobs'. Raises NotFound."""
    experiment = await get_brief(session, caller, path)
    if job_id is not None and not await has_job(session, experiment.id, job_id):
        raise NotFound("The experiment has no such job.")
    return await create_ticket(session, caller, TicketKind.LOG, opens, experiment.id)
