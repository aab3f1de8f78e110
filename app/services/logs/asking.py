"""From what a reader asks for to its stream: whose log, from where, in which form."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs import owners as db_owners
from app.db.logs.reading import find_state
from app.domain.logs.owners import LogOwner, of_build, of_experiment
from app.errors import NotFound
from app.services.access import Caller, check_access
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.logs.rendering import Rendering
from app.services.logs.store import Choice, read_state
from app.services.logs.streaming import LogRequest


@dataclass(frozen=True, slots=True)
class LogWish:
    """A reader's parameters. `after` is the seq that it has (`Last-Event-ID`; -1: none): it says where to go
    on whatever offset, tail and since say."""

    rendering: Rendering
    follow: bool = False
    offset: int = 0
    tail: int | None = None
    since: datetime | None = None
    job: int | None = None
    after: int | None = None


async def ask_experiment_log(
    session: AsyncSession, caller: Caller, path: ExperimentPath, wish: LogWish
) -> LogRequest | None:
    """The stream of an experiment's log, or of the lines of one of its jobs; None where nothing is missing
    to the reader and nothing will come. Raises NotFound."""
    experiment = await get_brief(session, caller, path)
    if wish.job is not None and not await db_owners.has_job(session, experiment.id, wish.job):
        raise NotFound("The experiment has no such job.")
    return await ask_log(session, caller, of_experiment(experiment.id), wish)


async def ask_build_log(
    session: AsyncSession, caller: Caller, username: str, project_name: str, build_id: int, wish: LogWish
) -> LogRequest | None:
    """The same for a build's log. Raises NotFound."""
    row = await db_owners.find_build(session, username, project_name, build_id)
    missing = NotFound("There is no such build.")
    if row is None:
        raise missing
    try:
        check_access(caller, row.owner_id, row.is_public, change=False)
    except NotFound:
        raise missing from None
    return await ask_log(session, caller, of_build(build_id), wish)


async def ask_log(session: AsyncSession, caller: Caller, owner: LogOwner, wish: LogWish) -> LogRequest | None:
    """The stream of a log that the caller may see. Raises NotFound where its owner was deleted just now."""
    row = await find_state(session, owner)
    if row is None:
        raise NotFound("It was deleted.")
    state = read_state(row)
    if wish.after is None:
        start, tail, choice = wish.offset, wish.tail, Choice(wish.job, wish.since)
    elif state.complete and wish.after == state.last_seq:
        return None
    else:
        start, tail, choice = wish.after + 1, None, Choice(wish.job)
    return LogRequest(
        owner=owner,
        caller=caller,
        state=state,
        rendering=wish.rendering,
        start=start,
        tail=tail,
        choice=choice,
        follow=wish.follow,
    )
