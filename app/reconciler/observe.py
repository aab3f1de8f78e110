"""From what the launcher sees of jobs to their statuses, and from those to their experiments'."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import experiments as db_experiments
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import DONE, Role, Status
from app.domain.runs import JobObservation, JobRef
from app.reconciler.context import Context
from app.services.attempts import settle
from app.services.statuses import move_job, say_of_experiment

News = tuple[AnyRow, JobObservation]
Move = tuple[AnyRow, Status, Status, JobObservation]

_AT_ONCE = 100  # moves of one experiment in one transaction
_TOGETHER = 25  # moves of several: nobody waits long for their locks
_LATEST = datetime.max.replace(tzinfo=UTC)

GONE = "deleted by someone else: nothing of it is left where it ran"
LOST = "infrastructure: its node was lost, and what was left of it there was removed"


async def observe(ctx: Context) -> None:
    """One pass over all live jobs. A write that finds another status than was seen is dropped."""
    async with transaction(ctx.sessions) as session:
        rows = await db_jobs.live(session)
    refs = {JobRef(row.uuid, row.attempt): row for row in rows}
    seen = await ctx.launcher.observe(list(refs))
    news: dict[int, list[News]] = {}
    for ref, row in refs.items():
        observation = seen.get(ref) or _absent(ref, row)
        if observation is not None and _is_news(row, observation):
            news.setdefault(row.experiment_id, []).append((row, observation))
        elif observation is not None and observation.message and observation.status not in DONE:
            await _say_once(ctx, row, observation.message)
    for portion in _portions(moves for of_one in news.values() for moves in _in_order(of_one)):
        await _apply(ctx, portion)
    there = {row.uuid for row in rows}
    ctx.told = {uuid: words for uuid, words in ctx.told.items() if uuid in there}
    await _settle_rest(ctx)


def _absent(ref: JobRef, row: AnyRow) -> JobObservation | None:
    """What it means that the launcher knows nothing of a claimed job."""
    asked = row.stop_requested_at or row.deleted_at or Status(row.experiment_status) in DONE
    if Status(row.status) is Status.SCHEDULED:
        # Claimed and not there yet: it will be launched, unless it is to end: then it never starts.
        return JobObservation(ref, Status.STOPPED) if asked or row.ending else None
    if Status(row.status) is Status.UNKNOWN:  # who removes it knows that nothing of it runs
        return JobObservation(ref, Status.FAILED, LOST, infrastructure=True)
    return JobObservation(ref, Status.FAILED, GONE, retryable=False)


def _is_news(row: AnyRow, observation: JobObservation) -> bool:
    return observation.status is not Status(row.status)


def _in_order(news: Sequence[News]) -> Iterator[list[Move]]:
    """The moves of one experiment's jobs as they happened: what started, what ran, what ended by when it did,
    in lists after each of which it is settled."""
    moves = [(row, *step, observation) for row, observation in news for step in _steps(row, observation)]
    for statuses in ({Status.STARTING}, {Status.RUNNING}):
        yield from _lists([move for move in moves if move[2] in statuses])
    rest = [move for move in moves if move[2] not in {Status.STARTING, Status.RUNNING}]
    yield from _lists(sorted(rest, key=lambda move: move[3].finished_at or _LATEST))


def _lists(moves: Sequence[Move]) -> Iterator[list[Move]]:
    for start in range(0, len(moves), _AT_ONCE):
        yield list(moves[start : start + _AT_ONCE])


def _portions(lists: Iterable[list[Move]]) -> Iterator[list[list[Move]]]:
    """What is one transaction, in the same order."""
    portion: list[list[Move]] = []
    for moves in lists:
        if portion and sum(map(len, portion)) + len(moves) > _TOGETHER:
            yield portion
            portion = []
        portion.append(moves)
    if portion:
        yield portion


async def _apply(ctx: Context, portion: Sequence[list[Move]]) -> None:
    """Write all these moves, list by list. All their experiments are locked first, in one order."""
    said: dict[str, str] = {}
    async with transaction(ctx.sessions) as session:
        held = await db_experiments.lock_all(session, {moves[0][0].experiment_id for moves in portion})
        for moves in portion:
            said |= await _apply_list(ctx, session, moves, held)
    ctx.told |= said


async def _apply_list(
    ctx: Context, session: AsyncSession, moves: Sequence[Move], held: dict[int, AnyRow]
) -> dict[str, str]:
    """Make them; gives what was said, by the jobs' uuids. The experiment is settled once for all of them; at
    once when its master ends, since that decides what the ends that come after it count for."""
    moved, unsettled = [], False
    experiment_id = moves[0][0].experiment_id
    for move in moves:
        row, _, to, _ = move
        if not await _move(session, *move):
            continue
        moved.append(move)
        unsettled = to not in DONE or row.role != Role.MASTER.value
        if not unsettled:
            await settle(session, experiment_id, ctx.policy, held.pop(experiment_id, None))
    if unsettled:
        await settle(session, experiment_id, ctx.policy, held.pop(experiment_id, None))
    said = {}
    for row, _, to, observation in moved:
        if observation.message and to is observation.status and to not in DONE:
            await _say(session, row, observation.message)
            said[row.uuid] = observation.message
    return said


def _steps(row: AnyRow, observation: JobObservation) -> Iterable[tuple[Status, Status]]:
    """The moves from the row's status to the observed one: what ran and ended between two looks was
    `running` in between."""
    seen = Status(row.status)
    to = observation.status
    ran = observation.started_at is not None and to in DONE
    if ran and seen in {Status.SCHEDULED, Status.STARTING}:
        if seen is Status.SCHEDULED:
            yield seen, Status.STARTING
        yield Status.STARTING, Status.RUNNING
        seen = Status.RUNNING
    elif to is Status.RUNNING and seen is Status.SCHEDULED:
        yield seen, Status.STARTING
        seen = Status.STARTING
    yield seen, to


async def _move(
    session: AsyncSession, row: AnyRow, seen: Status, to: Status, observation: JobObservation
) -> bool:
    final = to in DONE
    values: dict[str, object] = {"node_scheduled": observation.node} if observation.node else {}
    if final:
        values |= {
            "exit_code": observation.exit_code,
            "outcome": observation.message,
            "infrastructure": observation.infrastructure,
            "retryable": observation.retryable,
        }
        to = await _verdict(session, row, to)
    return await move_job(
        session,
        row.id,
        seen,
        to,
        observation.message if to is observation.status else None,
        at=_at(row, to, observation),
        attempt=row.attempt,
        details=_details(observation, final),
        values=values,
    )


def _details(observation: JobObservation, final: bool) -> dict[str, object] | None:
    """The launcher's facts, at a job's end with its exit code."""
    facts = dict(observation.details or {})
    if final and observation.exit_code is not None:
        facts["exit_code"] = observation.exit_code
    return facts or None


async def _verdict(session: AsyncSession, row: AnyRow, to: Status) -> Status:
    """A job that was ended because its experiment was over ends as the master did (`spec.md`, roles)."""
    if to is Status.SUCCEEDED:
        return to
    experiment = await db_experiments.lock(session, row.experiment_id)
    if experiment is not None and experiment.status == Status.SUCCEEDED.value:
        return Status.SUCCEEDED
    return to


def _at(row: AnyRow, to: Status, observation: JobObservation) -> datetime | None:
    """The launcher's own time where it has one, never before what the row says."""
    at = observation.finished_at if to in DONE else observation.started_at
    return None if at is None else max(at, row.started_at or row.created_at)


async def _say_once(ctx: Context, row: AnyRow, message: str) -> None:
    """What keeps a job where it is, when that changed."""
    if ctx.told.get(row.uuid) == message:
        return
    async with transaction(ctx.sessions) as session:
        await _say(session, row, message)
    ctx.told[row.uuid] = message


async def _say(session: AsyncSession, row: AnyRow, message: str) -> None:
    experiment = await db_experiments.lock(session, row.experiment_id)
    if experiment is not None and Status(experiment.status) not in DONE:
        await say_of_experiment(session, row.experiment_id, Status(experiment.status), message)


async def _settle_rest(ctx: Context) -> None:
    """Experiments whose jobs are done but which are not: a crash or a stop came in between."""
    async with transaction(ctx.sessions) as session:
        unsettled = await db_jobs.unsettled(session)
    for experiment_id in unsettled:
        async with transaction(ctx.sessions) as session:
            await settle(session, experiment_id, ctx.policy)
