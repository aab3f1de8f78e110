"""Experiments with jobs whose logs a test writes, and the collector that takes them in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select, text

from app.db.engine import Sessions, transaction
from app.db.notify import Channel, Listener, announce
from app.db.tables import Build, Experiment, Job, LogChunk, LogStream, Project, User
from app.db.tables.base import new_uuid
from app.domain.lifecycle import DONE, Status
from app.domain.logs.blocks import LogBlock
from app.domain.logs.owners import LogOwner, of_build, of_experiment
from app.domain.runs import JobRef
from app.reconciler.logs.collector import LogCollector
from app.services.logs.opening import open_logs
from app.services.statuses import move_build, move_experiment
from app.storage.log_frames import decode_frame
from app.storage.log_objects import LocalLogObjects
from tests.log_jobs import LogJob, LogJobs

SPEC = {"version": 1, "kind": "experiment", "run": {"cmd": "true"}}


@dataclass
class LoggedRun:
    """An experiment or a build, its jobs' ids by role, and the logs that its attempts write."""

    id: int
    uuid: str
    owner: LogOwner
    path: str
    jobs: list[int | None]
    uuids: list[str]
    logs: list[LogJob] = field(default_factory=list)

    @property
    def log(self) -> LogJob:
        """The newest attempt of the first job."""
        return self.logs[-len(self.uuids)]

    @property
    def job(self) -> int:
        """The id of the first job."""
        assert self.jobs[0] is not None
        return self.jobs[0]


class LogWorld:
    """Makes runs in the project `ada/lab`, moves them, and reads what is stored of them."""

    def __init__(
        self, sessions: Sessions, listener: Listener, sources: LogJobs, objects: LocalLogObjects
    ) -> None:
        self.sessions = sessions
        self.listener = listener
        self.sources = sources
        self.objects = objects

    async def project(self) -> tuple[int, int]:
        """The ids of `ada` and of her project, which are made if need be."""
        async with transaction(self.sessions) as session:
            user = (await session.execute(select(User.id).where(User.username == "ada"))).scalar_one_or_none()
            if user is None:
                made = insert(User).values(username="ada").returning(User.id)
                user = (await session.execute(made)).scalar_one()
            project = (await session.execute(select(Project.id))).scalar_one_or_none()
            if project is None:
                new = insert(Project).values(owner_id=user, name="lab").returning(Project.id)
                project = (await session.execute(new)).scalar_one()
        return user, project

    async def experiment(
        self, *roles: str, status: Status = Status.RUNNING, tracked: bool = False, launched: bool = True
    ) -> LoggedRun:
        """An experiment with a job a role (one master where none is named), launched."""
        user, project = await self.project()
        uuid = new_uuid()
        async with transaction(self.sessions) as session:
            values: dict[str, Any] = {"project_id": project, "user_id": user, "uuid": uuid}
            values |= {"outputs_uuid": uuid, "config": None if tracked else SPEC, "status": status.value}
            row = insert(Experiment).values(reads=[], **values).returning(Experiment.id)
            experiment_id = (await session.execute(row)).scalar_one()
            jobs = [] if tracked else [(role, new_uuid()) for role in roles or ("master",)]
            ids: list[int | None] = []
            for index, (role, job_uuid) in enumerate(jobs):
                job = {"uuid": job_uuid, "experiment_id": experiment_id, "role": role, "status": "running"}
                added = insert(Job).values(index=max(0, index - 1), attempt=1, **job).returning(Job.id)
                ids.append((await session.execute(added)).scalar_one())
        path = f"/ada/lab/experiments/{experiment_id}"
        owner = of_experiment(experiment_id)
        run = LoggedRun(experiment_id, uuid, owner, path, ids, [job_uuid for _, job_uuid in jobs])
        if launched and not tracked:
            await self.launch(run)
        return run

    async def build(self, *, leader: LoggedRun | None = None) -> LoggedRun:
        """A build that runs, or waits for another."""
        user, project = await self.project()
        uuid = new_uuid()
        async with transaction(self.sessions) as session:
            values: dict[str, Any] = {"project_id": project, "user_id": user, "uuid": uuid, "hash": "h"}
            values |= {"spec": {}, "status": "running", "attempt": 1}
            values["leader_id"] = None if leader is None else leader.id
            row = insert(Build).values(**values).returning(Build.id)
            build_id = (await session.execute(row)).scalar_one()
        run = LoggedRun(build_id, uuid, of_build(build_id), f"/ada/lab/builds/{build_id}", [None], [uuid])
        if leader is None:
            await self.launch(run)
        return run

    async def launch(self, run: LoggedRun, attempt: int = 1, *, start: bool = True) -> None:
        """Open the logs of an attempt, then start its jobs."""
        refs = [JobRef(uuid, attempt) for uuid in run.uuids]
        async with transaction(self.sessions) as session:
            logs = dict(zip(refs, run.jobs, strict=True))
            await open_logs(session, run.owner.kind, {run.owner.id: logs})
        if start:
            run.logs.extend(self.sources.start(ref) for ref in refs)

    async def move(self, run: LoggedRun, to: Status) -> None:
        """Set the run's status, and its jobs' with it when it is done."""
        async with transaction(self.sessions) as session:
            table = Experiment if run.owner == of_experiment(run.id) else Build
            seen = Status(
                (await session.execute(select(table.status).where(table.id == run.id))).scalar_one()
            )
            move = move_experiment if table is Experiment else move_build
            assert await move(session, run.id, seen, to)
            if to in DONE and table is Experiment:
                await session.execute(
                    text("UPDATE jobs SET status = :to WHERE experiment_id = :id"),
                    {"to": to.value, "id": run.id},
                )

    async def finish(self, run: LoggedRun, to: Status = Status.SUCCEEDED) -> None:
        """Its jobs end, then it is done."""
        for log in run.logs:
            log.end()
        await self.move(run, to)

    async def delete(self, run: LoggedRun) -> None:
        """Mark it as deleted."""
        async with transaction(self.sessions) as session:
            await session.execute(
                text("UPDATE experiments SET deleted_at = clock_timestamp() WHERE id = :id"), {"id": run.id}
            )
            announce(session, Channel.EXPERIMENT, run.id)

    async def stream(self, run: LoggedRun) -> Any:
        """Its row of log_streams; None where there is none."""
        mine = LogStream.experiment_id if run.owner == of_experiment(run.id) else LogStream.build_id
        async with transaction(self.sessions) as session:
            query = select(LogStream.id, LogStream.next_seq, LogStream.complete, LogStream.object)
            return (await session.execute(query.where(mine == run.id))).one_or_none()

    async def count_chunks(self, run: LoggedRun) -> int:
        stream = await self.stream(run)
        async with transaction(self.sessions) as session:
            query = select(func.count()).select_from(LogChunk).where(LogChunk.stream_id == stream.id)
            return (await session.execute(query)).scalar_one()

    async def blocks(self, run: LoggedRun) -> list[tuple[int, LogBlock]]:
        """What is stored, wherever that is, with the number of each block's first line."""
        stream = await self.stream(run)
        if stream is None:
            return []
        if stream.object is not None:
            with self.objects.open(stream.object) as log:
                return list(log.blocks())
        async with transaction(self.sessions) as session:
            query = select(LogChunk.first_seq, LogChunk.data).where(LogChunk.stream_id == stream.id)
            rows = (await session.execute(query.order_by(LogChunk.first_seq))).all()
        return [(row.first_seq, decode_frame(row.data)) for row in rows]

    async def lines(self, run: LoggedRun) -> list[str]:
        """The text of every stored line; their numbers have no hole."""
        lines: list[str] = []
        for first_seq, block in await self.blocks(run):
            assert first_seq == len(lines)
            lines.extend(line.decode() for line in block.lines())
        return lines

    async def collected(self, run: LoggedRun) -> bool:
        table = Experiment if run.owner == of_experiment(run.id) else Build
        async with transaction(self.sessions) as session:
            query = select(table.collected_at.is_not(None)).where(table.id == run.id)
            return (await session.execute(query)).scalar_one()

    async def sealed(self, run: LoggedRun) -> bool:
        stream = await self.stream(run)
        return stream is not None and stream.object is not None

    @contextlib.asynccontextmanager
    async def collecting(self, **parts: Any) -> AsyncIterator[LogCollector]:
        """A collector at work."""
        chosen: Mapping[str, Any] = {
            "sessions": self.sessions,
            "listener": self.listener,
            "launcher": self.sources,
            "objects": self.objects,
        } | parts
        collector = LogCollector(**chosen)
        task = asyncio.create_task(collector.run())
        try:
            yield collector
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Wait until something holds; fails after a deadline."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def stored(world: LogWorld, run: LoggedRun, count: int) -> list[str]:
    """The lines, once there are so many."""

    async def enough() -> bool:
        return len(await world.lines(run)) >= count

    await until(enough)
    return await world.lines(run)


async def printed(world: LogWorld, *lines: str, status: Status | None = None) -> LoggedRun:
    """An experiment that printed lines which are stored; done and sealed with a final status."""
    run = await world.experiment()
    run.log.say(*lines)

    async def there() -> bool:
        return len(await world.lines(run)) == len(lines)

    await until(there)
    if status is not None:
        await world.finish(run, status)
        await until(lambda: world.sealed(run))
    return run


async def large_and_sealed(world: LogWorld) -> LoggedRun:
    """A finished log that fits in no buffer."""
    run = await world.experiment()
    run.log.say(*("x" * 1000 for _ in range(30_000)))
    await world.finish(run)
    await until(lambda: world.sealed(run))
    return run
