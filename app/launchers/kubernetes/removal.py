"""Takes away pods for good, and the owners that own none any more."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from typing import Any

from app.launchers.base import LaunchDelayed
from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import ApiRefused, Cluster
from app.launchers.kubernetes.diagnose import is_over
from app.launchers.kubernetes.knowledge import Knowledge
from app.launchers.kubernetes.options import KubernetesOptions

Json = dict[str, Any]

_DEATH = 30.0  # seconds in which a killed pod must be over
_TRIES = 5


async def remove_pod(cluster: Cluster, knowledge: Knowledge, options: KubernetesOptions, pod: Json) -> None:
    """Kill it if it lives, wait until nothing of it runs, take off our finalizer, delete it.

    One whose node is lost is removed all the same: nobody can say how it ends. Raises LaunchDelayed where it
    does not die, ApiRefused, ClusterAway.
    """
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    path = f"/api/v1/namespaces/{options.namespace}/pods/{name}"
    lost = knowledge.around(pod).node_lost is not None
    if not is_over(pod) and not lost:
        if not await cluster.delete(path, grace=0 if _is_going(pod) else 1, uid=uid):
            return
        await _wait_over(knowledge, name, uid)
    await _take_off_finalizer(cluster, path, uid)
    await cluster.delete(path, grace=0, uid=uid)


async def remove_owner_of(
    cluster: Cluster,
    knowledge: Knowledge,
    options: KubernetesOptions,
    run: str,
    removed: Collection[str] = (),
) -> None:
    """Delete the owner of a run unless it has pods yet: secrets and services go with it. `removed`: the uids
    of those that were removed just now, of which the watch may not have told yet.

    Raises LaunchDelayed, ClusterAway.
    """
    for pod in knowledge.pods():
        kept = names.FINALIZER in (pod["metadata"].get("finalizers") or ())
        kept = kept and pod["metadata"]["uid"] not in removed
        if pod["metadata"]["labels"].get(names.RUN) == run and kept:
            return
    await _delete_owner(cluster, options, names.owner_name(run))


async def remove_unowning(cluster: Cluster, knowledge: Knowledge, options: KubernetesOptions) -> None:
    """Delete the owners that an earlier process left without a pod. Raises ApiRefused, ClusterAway."""
    there = {pod["metadata"]["labels"].get(names.RUN) for pod in knowledge.pods()}
    path = f"/api/v1/namespaces/{options.namespace}/configmaps"
    owners, _ = await cluster.list(path, names.selector(options.installation))
    for owner in owners:
        run = owner["metadata"]["labels"].get(names.RUN)
        if run is not None and run not in there:
            await _delete_owner(cluster, options, owner["metadata"]["name"])


async def _delete_owner(cluster: Cluster, options: KubernetesOptions, name: str) -> None:
    path = f"/api/v1/namespaces/{options.namespace}/configmaps/{name}"
    try:
        await cluster.delete(path)
    except ApiRefused as refusal:
        raise LaunchDelayed(f"{name} can't be deleted: {refusal.message}") from refusal


async def _wait_over(knowledge: Knowledge, name: str, uid: str) -> None:
    """Until the watch says that it is over, or gone."""
    try:
        async with asyncio.timeout(_DEATH), aclosing(knowledge.changes()) as changes:
            while True:
                pod = knowledge.pod(name)
                if pod is None or pod["metadata"]["uid"] != uid or is_over(pod):
                    return
                await anext(changes)
    except TimeoutError:
        raise LaunchDelayed(f"the pod {name} does not end, though it was killed") from None


async def _take_off_finalizer(cluster: Cluster, path: str, uid: str) -> None:
    """Ours alone: others' stay. Raises ApiRefused, ClusterAway."""
    for _ in range(_TRIES):
        try:
            pod = await cluster.get(path)
            held = pod["metadata"].get("finalizers") or []
            if pod["metadata"]["uid"] != uid or names.FINALIZER not in held:
                return
            rest = [name for name in held if name != names.FINALIZER]
            version = pod["metadata"]["resourceVersion"]
            await cluster.patch(path, {"metadata": {"finalizers": rest or None, "resourceVersion": version}})
            return
        except ApiRefused as refusal:
            if refusal.status == 404:
                return
            if refusal.status != 409:
                raise
    raise LaunchDelayed(f"{path} changes faster than its finalizer can be taken off")


def _is_going(pod: Json) -> bool:
    return pod["metadata"].get("deletionTimestamp") is not None
