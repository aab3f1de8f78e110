"""Ends the pods that a verdict says are over: written into the pod's status first, then it is deleted."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import STRATEGIC_MERGE_PATCH, ApiRefused, Cluster, ClusterAway
from app.launchers.kubernetes.diagnose import Verdict
from app.launchers.kubernetes.knowledge import Knowledge
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.verdicts import due_at, judge

logger = logging.getLogger(__name__)

Json = dict[str, Any]

LONGEST = 5.0  # seconds between two looks at all pods
BURST = 0.2  # seconds in which changes are one look
_RETRY = 2.0


class Enforcement:
    """`grace` of a pod that is ended so is its own, as its spec has it."""

    def __init__(self, cluster: Cluster, knowledge: Knowledge, options: KubernetesOptions) -> None:
        self._cluster = cluster
        self._knowledge = knowledge
        self._options = options
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        hearing = asyncio.create_task(self._hear())
        try:
            while True:
                self._changed.clear()
                wait = await self._look()
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue
                await asyncio.sleep(BURST)
        finally:
            hearing.cancel()

    async def _look(self) -> float:
        """Judge every pod; gives the seconds until the next one is due."""
        now, wait = datetime.now(UTC), LONGEST
        for pod in self._knowledge.jobs().values():
            around, since = self._knowledge.around(pod), self._knowledge.since(pod)
            verdict = judge(pod, around, since, self._options, now)
            if verdict is not None:
                await self._end(pod, verdict)
                continue
            due = due_at(pod, around, since, self._options)
            if due is not None:
                wait = min(wait, max(0.01, (due - now).total_seconds()))
        return wait

    async def _end(self, pod: Json, verdict: Verdict) -> None:
        name = pod["metadata"]["name"]
        try:
            await end_pod(self._cluster, self._options.namespace, pod, verdict, grace=None)
        except (ApiRefused, ClusterAway) as error:
            logger.warning("the pod %s can't be ended now: %s", name, error)
            await asyncio.sleep(_RETRY)

    async def _hear(self) -> None:
        async for _ in self._knowledge.changes():
            self._changed.set()


async def end_pod(
    cluster: Cluster, namespace: str, pod: Json, verdict: Verdict, *, grace: float | None
) -> None:
    """Write why, then delete; the finalizer keeps what is left of it. Gone already: nothing happens.

    It is a condition in its status, as of pods that the cluster evicts. An annotation would be a change that
    its kubelet takes up first, and the deletion only a second after that.

    Raises ApiRefused, ClusterAway.
    """
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
    condition = {"type": names.VERDICT, "status": "True", "message": verdict.text()}
    mark = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": [condition]}}
    try:
        await cluster.patch(f"{path}/status", mark, STRATEGIC_MERGE_PATCH)
    except ApiRefused as refusal:
        if refusal.status in {404, 409}:
            return
        raise
    await cluster.delete(path, grace=grace, uid=pod["metadata"]["uid"])
