"""Creates what a run is made of: each object once, whoever created it and whatever answer was lost."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway

logger = logging.getLogger(__name__)

Json = dict[str, Any]

PAUSE = (0.25, 5.0)  # seconds: first and longest wait for a cluster that does not answer
_KINDS = {"ConfigMap": "configmaps", "Secret": "secrets", "Service": "services", "Pod": "pods"}


def path_of(item: Mapping[str, Any]) -> str:
    """The API's path of the kind of this object, in its namespace."""
    return f"/api/v1/namespaces/{item['metadata']['namespace']}/{_KINDS[item['kind']]}"


async def create(cluster: Cluster, item: Json, wanted: Callable[[], bool]) -> Json | None:
    """Create the object, or find it there already: gives it as the cluster has it. None once it is not
    `wanted` any more. A cluster that does not answer is asked again until it does.

    Raises LaunchRefused (it can't be, or a stranger has its name), LaunchDelayed (not allowed now: a quota).
    """
    pause = PAUSE[0]
    while wanted():
        try:
            return await cluster.create(path_of(item), item)
        except ApiRefused as refusal:
            if refusal.reason == "AlreadyExists":
                found = await _adopt(cluster, item)
                if found is not None:
                    return found
            elif refusal.reason != "Conflict":  # a quota is being counted: ask again
                raise _why(refusal, item) from refusal
        except ClusterAway as error:
            logger.info("%s waits to be created: %s", item["metadata"]["name"], error)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        pause = min(PAUSE[1], 2 * pause)
    return None


async def _adopt(cluster: Cluster, item: Json) -> Json | None:
    """What has the object's name, if it is ours; None if it is gone again or going, so that it is to be
    created once more. Raises LaunchRefused, ClusterAway."""
    name, wanted = item["metadata"]["name"], item["metadata"]["labels"]
    try:
        found = await cluster.get(f"{path_of(item)}/{name}")
    except ApiRefused as refusal:
        if refusal.status == 404:
            return None
        raise _why(refusal, item) from refusal
    marks = found["metadata"].get("labels") or {}
    keys = (names.MANAGED_BY, names.INSTANCE, names.RUN, names.JOB, names.ATTEMPT)
    if any(marks.get(key) != wanted.get(key) for key in keys):
        raise LaunchRefused(
            f"there is a {item['kind'].lower()} {name} in the namespace that is not this service's; "
            "it was left alone"
        )
    going = found["metadata"].get("deletionTimestamp") is not None
    return None if going and item["kind"] != "Pod" else found


def _why(refusal: ApiRefused, item: Json) -> Exception:
    if refusal.status in {401, 403, 404, 429} or "quota" in refusal.message:
        return LaunchDelayed(f"the cluster does not take it now: {refusal.message}")
    return LaunchRefused(f"the cluster refuses its {item['kind'].lower()}: {refusal.message}")


async def ensure_secret(cluster: Cluster, item: Json, wanted: Callable[[], bool]) -> None:
    """The Secret with what is in it now: a second launch of an attempt may bring another token.

    Raises as `create`.
    """
    found = await create(cluster, item, wanted)
    if found is not None and (found.get("data") or {}) != item["data"]:
        try:
            await cluster.patch(f"{path_of(item)}/{item['metadata']['name']}", {"data": item["data"]})
        except ApiRefused as refusal:
            raise _why(refusal, item) from refusal


def definition(pod: Json) -> dict[str, object]:
    """The manifest as launched; what is secret in it is only named there."""
    return {key: pod[key] for key in ("apiVersion", "kind", "metadata", "spec")}
