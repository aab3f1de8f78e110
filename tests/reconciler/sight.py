"""What a launcher is made to see of jobs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.reconciler.context import Context
from app.reconciler.observe import observe
from app.reconciler.prepare import prepare
from tests.reconciler.rows import jobs, make_experiment, set_experiment

ROLES: dict[str, Any] = {"environment": {"pytorch": {"n_workers": 1}}}


class Seen:
    """What a launcher is made to see, by a job's role: to force an order of events that a real one can't."""

    def __init__(self) -> None:
        self.by_uuid: dict[str, JobObservation] = {}

    async def observe(self, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        return {ref: self.by_uuid[ref.uuid] for ref in refs if ref.uuid in self.by_uuid}


async def claimed(ctx: Context, **spec: Any) -> int:
    """An experiment whose attempt was claimed."""
    id = await make_experiment(ctx, **spec)
    await prepare(ctx)
    await set_experiment(ctx, id, launched_at=datetime.now(UTC))
    return id


async def see(ctx: Context, seen: Seen, id: int, *statuses: Status, **facts: Any) -> None:
    """The launcher sees the experiment's jobs like this, in their order."""
    for job, status in zip(await jobs(ctx, id), statuses, strict=False):
        seen.by_uuid[job.uuid] = JobObservation(JobRef(job.uuid, job.attempt), status, **facts)
    await observe(ctx)
