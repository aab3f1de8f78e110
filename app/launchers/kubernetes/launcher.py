"""The launcher for a cluster: each job attempt is a bare pod, kept by a finalizer until it is forgotten."""

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.domain.runs import Admission, JobObservation, JobRef, RunKind, RunSpec
from app.launchers.base import (
    JobUsage,
    LaunchDelayed,
    LauncherAway,
    LaunchRefused,
    LogBytes,
    LogPosition,
)
from app.launchers.kubernetes import names, proof, removal
from app.launchers.kubernetes.builds import Builds
from app.launchers.kubernetes.client import Cluster, connect
from app.launchers.kubernetes.creating import create, definition, ensure_secret
from app.launchers.kubernetes.diagnose import Verdict, diagnose, is_over, verdict_of
from app.launchers.kubernetes.enforcement import Enforcement, end_pod
from app.launchers.kubernetes.helpers import Helpers
from app.launchers.kubernetes.knowledge import Knowledge
from app.launchers.kubernetes.logs import PodLogs
from app.launchers.kubernetes.manifest import RunObjects, objects_of, owned
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.outputs import find_volume, make_outputs
from app.launchers.kubernetes.servers import address_of
from app.launchers.kubernetes.usage import usage
from app.launchers.kubernetes.watch import SILENCE
from app.volumes import Volume

logger = logging.getLogger(__name__)

Json = dict[str, Any]

_AT_ONCE = 8  # launches whose objects are created: the first pods of many start early, over few connections
_FIRST_LIST = 20.0  # seconds in which the cluster has to tell of all pods, at the start


class KubernetesLauncher:
    """See `base.Launcher`. What it knows of pods comes from one watch; no call asks for a single pod."""

    name = "kubernetes"

    def __init__(self, options: KubernetesOptions, *, silence: float = SILENCE) -> None:
        self._options = options
        self._silence = silence
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._stopped: set[JobRef] = set()  # asked to end, perhaps before they had a pod
        self._tasks: list[asyncio.Task[None]] = []
        self._cluster: Cluster
        self._knowledge: Knowledge
        self._logs: PodLogs
        self._helpers: Helpers
        self._builds: Builds

    async def start(self) -> None:
        """Learn of all pods, remove what has no use any more, and prove that pods reach the service.

        Raises LauncherUnusable, LauncherAway.
        """
        options = self._options
        self._cluster = await connect()
        self._knowledge = Knowledge(
            self._cluster, options.namespace, options.installation, silence=self._silence
        )
        self._logs = PodLogs(
            self._cluster, options.namespace, self._knowledge.pod, self._knowledge.unseen_end
        )
        self._helpers = Helpers(self._cluster, self._knowledge, options)
        self._builds = Builds(self._cluster, options)
        try:
            try:
                async with asyncio.timeout(_FIRST_LIST):
                    await self._knowledge.start()
            except TimeoutError:
                why = self._knowledge.trouble() or "it does not answer"
                raise LauncherAway(f"the cluster tells of no pods: {why}") from None
            await self._helpers.remove_left()
            await removal.remove_unowning(self._cluster, self._knowledge, options)
            await proof.prove_once(self._helpers, self._cluster, options)
        except BaseException:
            await self.close()
            raise
        enforcement = Enforcement(self._cluster, self._knowledge, options)
        self._tasks.append(asyncio.create_task(enforcement.run(), name="enforcement"))

    async def close(self) -> None:
        """Let go of everything and leave the pods as they are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._logs.close()
        await self._builds.close()
        await self._knowledge.close()
        await self._cluster.close()

    def trouble(self) -> str | None:
        """Why what it knows may be out of date; None if nothing is wrong."""
        return self._knowledge.trouble()

    def age(self) -> float:
        """Seconds since the cluster last told of pods."""
        return self._knowledge.age

    def notes(self, run: RunSpec) -> str | None:
        """A cluster gives all that a run can ask."""
        return None

    async def admit(self, waiting: Sequence[RunSpec]) -> list[Admission]:
        """All may start: the cluster's scheduler decides who fits."""
        return [Admission(admitted=True) for _ in waiting]

    async def launch(self, run: RunSpec) -> dict[JobRef, dict[str, object]]:
        """Create what the run is made of, or find it there. Waits for a cluster that does not answer.

        Raises LaunchRefused, LaunchDelayed; then nothing of this attempt is left.
        """
        async with self._lock(run.uuid):
            if run.kind is RunKind.BUILD:
                objects = await self._builds.objects(run)
            else:
                objects = objects_of(run, self._options, await self._prepare_outputs(run))
            try:
                async with self._slots:
                    pods = await self._create(run, objects)
            except (LaunchRefused, LaunchDelayed):
                await self._undo(run)
                raise
        return {ref: definition(pod) for ref, pod in objects.pods.items() if ref in pods}

    async def observe(self, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        """What is there of these jobs, from memory. Raises LauncherAway before anything was known."""
        if not self._knowledge.ready:
            raise LauncherAway("the cluster has told of no pods yet")
        pods = {ref: pod for ref in refs if (pod := self._knowledge.pod(ref.name)) is not None}
        return {ref: diagnose(ref, pod, self._knowledge.around(pod)) for ref, pod in pods.items()}

    async def changes(self) -> AsyncIterator[JobRef]:
        """Jobs about which there may be something new; a hint, a tick finds what it misses."""
        async for name in self._knowledge.changes():
            pod = self._knowledge.pod(name)
            ref = names.ref_of(pod) if pod is not None else names.read_ref(name)
            if ref is not None:
                yield ref

    async def known(self) -> list[JobRef]:
        """Every job of this installation that has a pod."""
        return list(self._knowledge.jobs())

    async def stop(self, ref: JobRef, grace: float) -> None:
        """Ask the job to end: SIGTERM, `grace` seconds, SIGKILL. One that has no pod yet gets none.

        Raises LauncherAway.
        """
        self._stopped.add(ref)
        pod = self._knowledge.pod(ref.name)
        if pod is None or is_over(pod):
            return
        if verdict_of(pod) is not None and pod["metadata"].get("deletionTimestamp"):
            return
        verdict = verdict_of(pod) or Verdict("stopped", "stopped", datetime.now(UTC))
        await end_pod(self._cluster, self._options.namespace, pod, verdict, grace=grace)

    async def forget(self, ref: JobRef) -> None:
        """Remove the pod, killing it if it lives, and what only it needed. Raises LaunchDelayed where it does
        not die, LauncherAway."""
        pod = self._knowledge.pod(ref.name)
        if pod is not None:
            run = pod["metadata"]["labels"].get(names.RUN, "")
            async with self._lock(run):
                await removal.remove_pod(self._cluster, self._knowledge, self._options, pod)
                removed = {pod["metadata"]["uid"]}
                await removal.remove_owner_of(self._cluster, self._knowledge, self._options, run, removed)
        await self._logs.drop(ref)
        self._stopped.discard(ref)

    async def release(self, principal: str) -> None:
        """An experiment is deleted: its owner object goes, and with it all that it owns."""
        async with self._lock(principal):
            await removal.remove_owner_of(self._cluster, self._knowledge, self._options, principal)

    async def clear_outputs(self, uuid: str, volume: str | None) -> None:
        """Delete what is in an outputs folder as root, in a pod. Raises LaunchDelayed, LauncherAway."""
        place = self._options.outputs_volume(volume) or self._options.outputs
        await self._helpers.clear(place, uuid)

    async def read_log(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
        """About `limit` bytes of whole entries from `position`; `eof` once the log is whole."""
        return await self._logs.read(ref, position, limit)

    async def logs_ahead(self, positions: Mapping[JobRef, LogPosition]) -> list[JobRef]:
        """Those of these jobs whose log has more than was read, or is whole."""
        return await self._logs.ahead(positions)

    def ends_log(self, ref: JobRef, position: LogPosition) -> bool:
        """Whether it was begun: then a gap says what of it can't be had."""
        return self._logs.has_begun(ref, position)

    async def last_lines(self, ref: JobRef, count: int) -> list[str]:
        """The last lines of a job that is over, as far as the cluster has them."""
        return await self._logs.last_lines(ref, count)

    async def trim_log(self, ref: JobRef, position: LogPosition) -> None:
        """Nodes rotate the logs of pods by themselves."""

    async def usage(self, refs: Sequence[JobRef]) -> list[JobUsage]:
        """What the cluster's metrics say of live jobs; none where it has no metrics."""
        return await usage(self._cluster, self._knowledge, self._options, refs)

    async def find_environment(self, build_hash: str) -> str | None:
        """The image of that hash in the registry, by its digest, or None. Raises LaunchRefused,
        LaunchDelayed."""
        return await self._builds.find(build_hash)

    async def remove_environment(self, environment: str) -> None:
        """Delete a built image that nothing uses."""
        await self._builds.remove(environment)

    async def address(self, ref: JobRef) -> str | None:
        """Where the service reaches the job's TensorBoard: `host:port`, or a path of the API server, which
        passes on what is sent there. Raises LaunchDelayed, LauncherAway."""
        pod = self._knowledge.pod(ref.name)
        return None if pod is None else await address_of(self._cluster, self._options.namespace, pod)

    async def _prepare_outputs(self, run: RunSpec) -> dict[str, Volume]:
        """Make the run's outputs folder; gives where those lie that it reads. Raises LaunchRefused,
        LaunchDelayed."""
        options = self._options
        volume = options.outputs_volume(run.outputs_volume)
        if run.outputs is not None and volume is not None:
            place = Path(volume.path or "") / run.outputs
            try:
                await asyncio.to_thread(make_outputs, place, options.uid, options.gid)
            except OSError as error:
                raise LaunchDelayed(f"waits for its outputs folder: {error.strerror}") from error
        places = [options.outputs, *options.outputs_volumes.values()]
        found = {uuid: await asyncio.to_thread(find_volume, places, uuid) for uuid in run.reads}
        return {uuid: place for uuid, place in found.items() if place is not None}

    async def _create(self, run: RunSpec, objects: RunObjects) -> set[JobRef]:
        """Create all; gives the jobs that have a pod. Those that were asked to end meanwhile get none."""
        cluster = self._cluster

        def wanted() -> bool:
            return not all(job.ref in self._stopped for job in run.jobs)

        owner = await create(cluster, objects.owner, wanted)
        if owner is None:
            return set()
        if objects.secret is not None:
            await ensure_secret(cluster, owned(objects.secret, owner), wanted)
        if objects.service is not None:
            await create(cluster, owned(objects.service, owner), wanted)
        made = set()
        for ref, pod in objects.pods.items():
            found = await create(cluster, owned(pod, owner), lambda ref=ref: ref not in self._stopped)  # type: ignore[misc]
            if found is None:
                continue
            made.add(ref)
            self._knowledge.put(found)
            if ref in self._stopped:  # while it was created
                verdict = Verdict("stopped", "stopped", datetime.now(UTC))
                await end_pod(cluster, self._options.namespace, found, verdict, grace=run.grace)
        return made

    async def _undo(self, run: RunSpec) -> None:
        """Remove what a launch that failed has created."""
        removed = set()
        for job in run.jobs:
            pod = self._knowledge.pod(job.ref.name)
            if pod is not None and names.ref_of(pod) == job.ref:
                await removal.remove_pod(self._cluster, self._knowledge, self._options, pod)
                removed.add(pod["metadata"]["uid"])
        await removal.remove_owner_of(self._cluster, self._knowledge, self._options, run.uuid, removed)

    def _lock(self, run: str) -> asyncio.Lock:
        return self._locks.setdefault(run, asyncio.Lock())
