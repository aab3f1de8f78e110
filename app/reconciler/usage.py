"""Measures what live jobs use, once a second, and only while somebody watches."""

import asyncio
import logging
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.db import usage as db
from app.db.engine import Sessions, transaction
from app.db.notify import Channel, Listener
from app.db.rows import AnyRow
from app.db.trouble import reason
from app.domain.runs import JobRef
from app.launchers.base import JobSource, JobUsage

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two measurements
TICK = 5.0  # seconds between two looks whether somebody watches, beside announcements


class UsageSampler:
    """Runs in the leader, which alone can ask the launcher."""

    def __init__(self, sessions: Sessions, listener: Listener, launcher: JobSource) -> None:
        self._sessions = sessions
        self._listener = listener
        self._launcher = launcher

    async def run(self) -> None:
        """Until it is cancelled."""
        with self._listener.subscribe(Channel.USAGE) as watched:
            while True:
                try:
                    busy = await self._measure()
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    logger.warning("what jobs use can't be measured now: %s", reason(error))
                    busy = False
                if busy:
                    await asyncio.sleep(EVERY)
                else:
                    await watched.wait(TICK)
                    watched.take()

    async def _measure(self) -> bool:
        """Measure for all who watch; whether there are any."""
        async with transaction(self._sessions) as session:
            jobs = await db.find_watched_jobs(session)
        if not jobs:
            return False
        by_ref = {JobRef(job.uuid, job.attempt): job for job in jobs if job.id is not None}
        rows: dict[int, list[dict[str, Any]]] = {job.experiment_id: [] for job in jobs}
        for used in await self._launcher.usage(list(by_ref)) if by_ref else ():
            job = by_ref[used.ref]
            rows[job.experiment_id].append(_row(job, used))
        async with transaction(self._sessions) as session:
            await db.set_rows(session, rows)
        return True


def _row(job: AnyRow, used: JobUsage) -> dict[str, Any]:
    """What is sent of one job (contract.md, `…/resources`)."""
    return {
        "job_uuid": job.uuid,
        "experiment_uuid": job.experiment_uuid,
        "job_name": f"{job.username}.{job.project}.{job.experiment_id}.{job.id}.{job.role}",
        "container_id": used.ref.name,
        "n_cpus": used.n_cpus,
        "cpu_percentage": used.cpu_percentage,
        "percpu_percentage": list(used.percpu_percentage),
        "memory_used": used.memory_used,
        "memory_limit": used.memory_limit,
        "gpu_resources": list(used.gpu_resources),
    }
