"""What pods use now, as the cluster's metrics give it (`metrics.k8s.io`); nothing where it has none."""

import decimal
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.runs import JobRef
from app.launchers.base import JobUsage
from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway
from app.launchers.kubernetes.knowledge import Knowledge
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.quantities import read_quantity

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]


async def usage(
    cluster: Cluster, knowledge: Knowledge, options: KubernetesOptions, refs: Sequence[JobRef]
) -> list[JobUsage]:
    """What these jobs use, as far as it is known."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{options.namespace}/pods"
    try:
        items, _ = await cluster.list(path, names.selector(options.installation))
    except (ApiRefused, ClusterAway) as error:
        logger.debug("there are no metrics of pods: %s", error)
        return []
    measured = {item["metadata"]["name"]: item for item in items}
    pods = {ref: knowledge.pod(ref.name) for ref in refs if ref.name in measured}
    found = (usage_of(ref, measured[ref.name], pod) for ref, pod in pods.items() if pod is not None)
    return [used for used in found if used is not None]


def usage_of(ref: JobRef, measured: Json, pod: Json) -> JobUsage | None:
    """What one pod's metrics say; None where they say nothing of its command."""
    for container in measured.get("containers") or ():
        if container.get("name") == names.MAIN:
            try:
                cores = read_quantity(container["usage"]["cpu"])
                memory = int(read_quantity(container["usage"]["memory"]))
                limits = _limits(pod)
                cpus = read_quantity(limits["cpu"]) if "cpu" in limits else cores
                most = int(read_quantity(limits["memory"])) if "memory" in limits else None
            except (KeyError, ValueError, decimal.InvalidOperation):
                return None
            return JobUsage(ref, 100 * cores, (), max(1, round(cpus)), memory, most)
    return None


def _limits(pod: Json) -> Mapping[str, str]:
    for container in pod["spec"]["containers"]:
        if container["name"] == names.MAIN:
            return (container.get("resources") or {}).get("limits") or {}
    return {}
