"""When the service ends a pod by itself: over its timeout, kept from starting, without a node. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.launchers.amounts import seconds_text
from app.launchers.kubernetes import diagnose, names
from app.launchers.kubernetes.diagnose import Surroundings, Verdict
from app.launchers.kubernetes.options import KubernetesOptions

Json = Mapping[str, Any]

_HOPELESS = {"InvalidImageName", "ErrImageNeverPull"}  # nothing will change these
_DELETED = timedelta(seconds=10)  # in which who judged a pod has deleted it
_WHOLE_SECOND = timedelta(seconds=1)  # kubelets tell whole seconds: the start may have been this much later


@dataclass(frozen=True, slots=True)
class Since:
    """Since when a pod is blocked, and since when its node is lost; None where they are not."""

    blocked: datetime | None = None
    node_lost: datetime | None = None


def is_blocked(pod: Json, around: Surroundings) -> bool:
    """Whether something has to change before this pod can start: an image, a secret, a volume."""
    if diagnose.is_over(pod) or diagnose.started_at(pod) is not None:
        return False
    if not pod["spec"].get("nodeName"):
        return _claim_missing(pod)
    return bool(diagnose.waiting(pod)[0] or around.warning)


def judge(
    pod: Json, around: Surroundings, since: Since, options: KubernetesOptions, now: datetime
) -> Verdict | None:
    """Why this pod is to be ended now, if it is; also one that was judged and then not deleted."""
    if diagnose.is_over(pod):
        return None
    told = diagnose.verdict_of(pod)
    if told is not None:
        return told if diagnose.deletion_asked(pod) is None and now - told.at > _DELETED else None
    due, found = _due(pod, around, since, options)
    return found(now) if due is not None and found is not None and due <= now else None


def due_at(pod: Json, around: Surroundings, since: Since, options: KubernetesOptions) -> datetime | None:
    """When this pod is to be ended unless something changes."""
    if diagnose.is_over(pod) or diagnose.verdict_of(pod) is not None:
        return None
    return _due(pod, around, since, options)[0]


@dataclass(frozen=True, slots=True)
class _Reason:
    reason: str
    message: str

    def __call__(self, now: datetime) -> Verdict:
        return Verdict(self.reason, self.message, now)


def _due(
    pod: Json, around: Surroundings, since: Since, options: KubernetesOptions
) -> tuple[datetime | None, _Reason | None]:
    started = diagnose.started_at(pod)
    if since.node_lost is not None and options.node_lost_timeout is not None:
        seconds = options.node_lost_timeout
        node = pod["spec"].get("nodeName")
        message = f"infrastructure: its node {node} did not come back within {seconds_text(seconds)}"
        return since.node_lost + timedelta(seconds=seconds), _Reason("node_lost", message)
    if started is not None:
        timeout = (pod["metadata"].get("annotations") or {}).get(names.TIMEOUT)
        if timeout is None:
            return None, None
        message = f"ran longer than its timeout of {seconds_text(float(timeout))}"
        return started + _WHOLE_SECOND + timedelta(seconds=float(timeout)), _Reason("timeout", message)
    if since.blocked is not None:
        hopeless = diagnose.waiting(pod)[0] in _HOPELESS
        grace = 0.0 if hopeless else options.pull_grace
        message = diagnose.waits_for(pod, around.warning) or diagnose.unscheduled(pod) or "it can't start"
        reason = "refused" if hopeless else "blocked"
        return since.blocked + timedelta(seconds=grace), _Reason(reason, message)
    if not pod["spec"].get("nodeName") and options.schedule_timeout is not None:
        created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).astimezone(UTC)
        seconds = options.schedule_timeout
        words = diagnose.unscheduled(pod)
        message = f"no node took it within {seconds_text(seconds)}" + (f": {words}" if words else "")
        return created + timedelta(seconds=seconds), _Reason("unscheduled", message)
    return None, None


def _claim_missing(pod: Json) -> bool:
    """A volume that isn't there is a mistake; a node that isn't there may come."""
    words = diagnose.unscheduled(pod) or ""
    return 'persistentvolumeclaim "' in words and "not found" in words
