"""Attempts are claimed for their launch: from then on each may run, has a token, and its logs are open."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.work import experiments as db_experiments
from app.db.work import jobs as db_jobs
from app.domain.logs.owners import OwnerKind
from app.domain.runs import RunSpec
from app.services.logs.opening import open_logs
from app.services.tokens import create_job_tokens


@dataclass(frozen=True, slots=True)
class Claim:
    """What a launch needs: the attempt's token, and its jobs' ids by their uuids."""

    token: str
    jobs: dict[str, int]


async def claim(session: AsyncSession, attempts: Sequence[tuple[AnyRow, RunSpec]]) -> dict[int, Claim]:
    """Claim these, by the ids of their experiments; those that were stopped or moved meanwhile are left out.
    May be repeated until it was launched."""
    there = await db_experiments.claim(session, {row.id: row.attempt for row, _ in attempts})
    claimed = [(row, run) for row, run in attempts if row.id in there]
    if not claimed:
        return {}
    tokens = await create_job_tokens(session, [(row.user_id, row.id, row.attempt) for row, _ in claimed])
    jobs = await db_jobs.of_experiments(session, list(there))
    found = {
        row.id: Claim(token, {job.uuid: job.id for job in jobs[row.id]})
        for (row, _), token in zip(claimed, tokens, strict=True)
    }
    logs = {row.id: {job.ref: found[row.id].jobs[job.ref.uuid] for job in run.jobs} for row, run in claimed}
    await open_logs(session, OwnerKind.EXPERIMENT, logs)
    return found
