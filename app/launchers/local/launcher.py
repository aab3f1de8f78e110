"""The launcher for one machine: each job is a process group beside a runner of its own."""

import asyncio
import platform
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from app.domain.runs import Admission, JobObservation, JobRef, RunKind, RunSpec
from app.launchers.base import (
    JobUsage,
    LaunchDelayed,
    LauncherUnusable,
    LaunchRefused,
    LogBytes,
    LogPosition,
)
from app.launchers.local import admission, capacity, logs
from app.launchers.local.environments import Environments
from app.launchers.local.jobs import Jobs
from app.launchers.local.layout import Layout
from app.launchers.local.leftovers import clear_user, release_user
from app.launchers.local.notes import notes
from app.launchers.local.old_trackers import forget_tokens
from app.launchers.local.options import LocalOptions
from app.launchers.local.plans import Plans
from app.launchers.local.ports import HOST
from app.launchers.local.preparation import Preparation
from app.launchers.local.pythons import PythonChoice
from app.launchers.local.spawning import request_stop, spawn_runner
from app.launchers.local.usage import Meter
from app.launchers.local.users import Users
from app.launchers.local.watching import Watch

P = ParamSpec("P")
T = TypeVar("T")

_THREADS, _LOG_THREADS = 8, 4
_SERVICE_GRACE = 8.0


class LocalLauncher:
    """See `base.Launcher`. All that blocks runs in threads of the launcher's own."""

    name = "local"

    def __init__(self, options: LocalOptions) -> None:
        span = options.uids if options.isolated else None
        self._options = options
        self._layout = Layout(options.data)
        self._users = Users(self._layout.users, span) if span is not None else None
        self._plans = Plans(self._layout.runs)
        python = PythonChoice(options.python, span[0] if span is not None else None)
        self._environments = Environments(self._layout, python)
        self._jobs = Jobs(self._layout, self._plans, self._environments, platform.node())
        self._watch = Watch(self._layout.job, lambda ref: self._do(self._jobs.observe, ref))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="local-launcher")
        # Their own: no line waits for hundreds of processes to start.
        self._log_threads = ThreadPoolExecutor(_LOG_THREADS, thread_name_prefix="local-launcher-logs")
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._preparation: Preparation
        self._meter: Meter

    async def start(self) -> None:
        """Take up what an earlier process left: adopts what runs, ends what is left over. Raises OSError, and
        LauncherUnusable for a named Python that no job could run."""
        if self._options.python is not None:
            await self._do(self._check_python)
        await self._do(self._take_up)
        self._watch.start()
        for ref in await self._do(self._jobs.known):
            if self._jobs.begun(ref) and not self._jobs.over(ref):
                self._watch.add(ref)
        self._threads.submit(self._layout.empty_trash)
        self._threads.submit(self._environments.base)  # made before the first job wants it

    async def close(self) -> None:
        """Let go of everything and leave the runs as they are."""
        await self._watch.close()
        for threads in (self._threads, self._log_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def stop_all(self, grace: float = _SERVICE_GRACE) -> None:
        """End all jobs as failures of the infrastructure, and wait until they have ended: for a container
        that is stopped."""
        refs = [ref for ref in await self._do(self._jobs.known) if not self._jobs.over(ref)]
        await asyncio.gather(*(self._stop(ref, grace, "service_stopped") for ref in refs))
        await self._do(self._jobs.wait_over, refs, grace + 2.0)

    def trouble(self) -> str | None:
        """Files don't grow old."""
        return None

    def age(self) -> float:
        """Files are looked at when it is asked."""
        return 0.0

    def notes(self, run: RunSpec) -> str | None:
        """What this launcher can't give of what the run asks, to be said once; None if all."""
        return notes(run)

    async def admit(self, waiting: Sequence[RunSpec]) -> list[Admission]:
        """For runs in order: which may start now, beside what runs."""
        live = await self._do(self._jobs.live_plans)
        used, launched = admission.in_use(live), {plan.name for plan in live}
        return admission.admit(waiting, self._preparation.capacity, used, launched)

    async def launch(self, run: RunSpec) -> dict[JobRef, dict[str, object]]:
        """Start all jobs of the run, or none; what is started already stays as it is. Raises LaunchRefused,
        LaunchDelayed."""
        async with self._lock(run.principal or run.uuid):
            try:
                inputs = await self._do(self._prepare, run)
            except OSError as error:
                raise LaunchDelayed(f"waits for the folders that it works in: {error.strerror}") from error
            done = await asyncio.gather(
                *(self._do(spawn_runner, self._options, self._layout.job(ref), text) for ref, text in inputs),
                return_exceptions=True,
            )
            failures = [error for error in done if isinstance(error, BaseException)]
            if failures:
                for job in run.jobs:
                    await self._do(self._jobs.forget, job.ref)
                raise failures[0]
            for ref, _ in inputs:
                self._watch.add(ref)
            return {job.ref: await self._do(self._jobs.definition, job.ref) for job in run.jobs}

    async def observe(self, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        """What is there of these jobs, from local files; one that was not started is left out."""
        found = await self._do(lambda: [self._jobs.observe(ref) for ref in refs])
        return {observation.ref: observation for observation in found if observation is not None}

    def changes(self) -> AsyncIterator[JobRef]:
        """Jobs about which there may be something new; a hint, a tick finds what it misses."""
        return self._watch.changes()

    async def known(self) -> list[JobRef]:
        """Every job that is there."""
        return await self._do(self._jobs.known)

    async def stop(self, ref: JobRef, grace: float) -> None:
        """Ask the job to end: SIGTERM, `grace` seconds, SIGKILL. One that has no process yet gets none."""
        await self._stop(ref, grace, "stopped")

    async def forget(self, ref: JobRef) -> None:
        """Remove what is left of a job attempt, killing it if it lives, and with its user's last one what
        this user left outside its folders. Raises LaunchDelayed where its processes do not die."""
        plan = self._plans.of(ref)
        async with self._lock(plan.principal if plan is not None else ref.name):
            self._watch.drop(ref)
            await self._do(self._jobs.forget, ref)
            if plan is not None and plan.uid is not None and not self._plans.use(plan.uid):
                await self._do(clear_user, plan.uid)

    async def release(self, principal: str) -> None:
        """An experiment is deleted: its user goes back, with all that this user has outside its folders."""
        if self._users is None:
            return
        uid = self._users.find(principal)
        if uid is not None:
            await self._do(release_user, uid)
            await self._do(self._users.release, principal)

    async def read_log(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
        """About `limit` bytes of whole entries from `position`; `eof` once the log is whole."""
        return await self._log(logs.read, self._layout.job(ref), position, limit)

    async def logs_ahead(self, positions: Mapping[JobRef, LogPosition]) -> list[JobRef]:
        """Those of these jobs whose log has more than was read, or is whole."""
        return await self._log(self._ahead, dict(positions))

    def ends_log(self, ref: JobRef, position: LogPosition) -> bool:
        """No: what was printed went with the job's folder."""
        return False

    async def last_lines(self, ref: JobRef, count: int) -> list[str]:
        """The last lines of a job that is over."""
        return await self._do(logs.last_lines, self._layout.job(ref), count)

    async def trim_log(self, ref: JobRef, position: LogPosition) -> None:
        """Delete the segments that are stored wholly."""
        await self._log(logs.trim, self._layout.job(ref), position)

    async def clear_outputs(self, uuid: str, volume: str | None) -> None:
        """Nothing: jobs have no rights here that the service has not."""

    async def find_environment(self, build_hash: str) -> str | None:
        """The environment of that hash, ready for use, or None. Raises LaunchRefused without a Python."""
        return await self._do(self._environments.find, build_hash)

    async def remove_environment(self, environment: str) -> None:
        """Delete a built environment that nothing uses."""
        await self._do(self._environments.remove, environment)

    async def address(self, ref: JobRef) -> str | None:
        """`host:port` where the job's server listens, if it listens at all; None without a living job."""
        plan = self._plans.of(ref)
        if plan is None or self._jobs.over(ref):
            return None
        return f"{HOST}:{plan.job(ref).port}"

    async def usage(self, refs: Sequence[JobRef]) -> list[JobUsage]:
        """What live jobs use now; those of which nothing is known are left out."""
        return await self._do(self._measure, refs)

    def _check_python(self) -> None:
        try:
            _ = self._environments.python
        except LaunchRefused as error:
            raise LauncherUnusable(str(error)) from error

    def _take_up(self) -> None:
        self._layout.make()
        if self._users is not None:
            self._users.load()
            forget_tokens()
        self._plans.load()
        measured = capacity.measure(self._options)
        self._preparation = Preparation(
            self._options,
            self._layout,
            self._users,
            self._plans,
            self._environments,
            measured,
            self._jobs.live_plans,
        )
        self._meter = Meter(self._plans, measured.memory)
        for ref in self._jobs.known():
            self._jobs.observe(ref)  # ends those whose runner is gone
        building = [plan.environment for plan in self._jobs.live_plans() if plan.kind is RunKind.BUILD]
        self._environments.remove_unfinished([name for name in building if name is not None])

    def _prepare(self, run: RunSpec) -> list[tuple[JobRef, bytes]]:
        """What the runners that are still to be started read. All is checked before the first folder."""
        missing = [job for job in run.jobs if not self._jobs.begun(job.ref)]
        if not missing:
            return []
        plan = self._plans.find(run.uuid, run.attempt)
        fresh = plan is None
        plan = plan or self._preparation.plan(run)
        try:
            inputs = [(job.ref, self._preparation.runner_input(run, plan, job)) for job in missing]
            for job in missing:
                self._jobs.make(job.ref, plan.uid, self._preparation.definition(run, plan, job))
        except Exception:
            for job in run.jobs if fresh else ():
                self._jobs.forget(job.ref)
            raise
        return inputs

    async def _stop(self, ref: JobRef, grace: float, reason: str) -> None:
        plan = self._plans.of(ref)
        async with self._lock(plan.principal if plan is not None else ref.name):
            folder = self._layout.job(ref)
            if not self._jobs.over(ref) and folder.is_dir():
                await self._do(request_stop, folder, grace, reason)

    def _ahead(self, positions: Mapping[JobRef, LogPosition]) -> list[JobRef]:
        job = self._layout.job
        return [ref for ref, position in positions.items() if logs.ahead(job(ref), position)]

    def _measure(self, refs: Sequence[JobRef]) -> list[JobUsage]:
        pids = [(ref, self._jobs.runner(ref)) for ref in refs]
        return self._meter.measure([(ref, pid) for ref, pid in pids if pid is not None])

    def _lock(self, principal: str) -> asyncio.Lock:
        """All that is started and removed as one user, one after another."""
        return self._locks.setdefault(principal, asyncio.Lock())

    async def _do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """In a thread; the loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))

    async def _log(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what a log is read with."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._log_threads, partial(call, *args, **kwargs))
