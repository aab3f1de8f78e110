"""From a pod's JSON to what is seen of its job, in words a person can act on. Pure: no I/O, no clock."""

import json
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.launchers.amounts import bytes_text
from app.launchers.kubernetes import names
from app.launchers.kubernetes.ends import without_ends
from app.launchers.kubernetes.quantities import read_quantity

Json = Mapping[str, Any]

# What a kubelet or the control plane gives as the reason of a pod that it ended or turned away.
_INFRASTRUCTURE = {
    *("Evicted", "NodeShutdown", "Terminated", "Shutdown", "NodeLost", "Preempting", "NodeAffinity"),
    *("UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage"),
}
LOST_CONTAINER = {"ContainerStatusUnknown", "Unknown"}  # the runtime knows nothing of its end
GIVEN_UP = {"node_lost", "refused"}  # verdicts with which a job is over before its kubelet says so
_CREATING = {"ContainerCreating", "PodInitializing", ""}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else is known: why the pod's node counts as lost, what the newest warning about it said, and when
    its deletion was asked for: the object forgets that when its kubelet confirms it."""

    node_lost: str | None = None
    warning: str | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the service itself ended a pod. Stored in the pod's status before it is deleted."""

    reason: str  # stopped, timeout, blocked, refused, unscheduled, node_lost
    message: str
    at: datetime

    def text(self) -> str:
        """As the condition holds it."""
        return json.dumps({"reason": self.reason, "message": self.message, "at": self.at.isoformat()})


def verdict_of(pod: Json) -> Verdict | None:
    """Why the service ended this pod; None if it did not."""
    found = [condition for condition in conditions(pod) if condition["type"] == names.VERDICT]
    if not found:
        return None
    try:
        told = json.loads(found[0]["message"])
        return Verdict(str(told["reason"]), str(told["message"]), time_of(told["at"]) or _EPOCH)
    except (ValueError, KeyError, TypeError):
        return Verdict("stopped", "stopped", _EPOCH)  # somebody wrote into it: it was ended all the same


def is_over(pod: Json) -> bool:
    """Whether nothing of the pod runs, or ever will."""
    if pod["status"].get("phase") in {"Succeeded", "Failed"} or terminated(pod) is not None:
        return True
    # Deleted before it had a node: no kubelet will say anything of it.
    return deletion_asked(pod) is not None and not pod["spec"].get("nodeName")


def diagnose(ref: JobRef, pod: Json, around: Surroundings) -> JobObservation:
    """What is there of the job."""
    if is_over(pod):
        return _ended(ref, pod, around.deleted_at)
    node = pod["spec"].get("nodeName")
    verdict = verdict_of(pod)
    if verdict is not None and verdict.reason in GIVEN_UP:  # no new attempt beside its pod
        return JobObservation(ref, Status.FAILED, verdict.message, retryable=False, node=node)
    if node and around.node_lost:
        message = f"its node {node} does not answer: {around.node_lost}"
        return JobObservation(ref, Status.UNKNOWN, message, started_at=started_at(pod), node=node)
    if started_at(pod) is not None:
        return JobObservation(ref, Status.RUNNING, started_at=started_at(pod), node=node)
    told = verdict.message if verdict is not None and verdict.reason != "stopped" else None
    if node:
        return JobObservation(ref, Status.STARTING, told or waits_for(pod, around.warning), node=node)
    return JobObservation(ref, Status.SCHEDULED, told or unscheduled(pod))


def started_at(pod: Json) -> datetime | None:
    """When the command began; None while it did not."""
    state = _state(_main(pod))
    for word in ("running", "terminated"):
        if word in state:
            return time_of(state[word].get("startedAt"))
    return None


def terminated(pod: Json) -> Json | None:
    """The end of the command's container as its kubelet tells it."""
    return _state(_main(pod)).get("terminated")


def unscheduled(pod: Json) -> str | None:
    """Why no node takes it, in the scheduler's words."""
    for condition in conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return condition.get("message") or condition.get("reason")
    return None


def waiting(pod: Json) -> tuple[str, str]:
    """The reason and the message of the first container that waits; empty where none does."""
    for status in (*_init(pod), _main(pod)):
        found = _state(status).get("waiting")
        if found and found.get("reason", "") not in _CREATING:
            return found["reason"], found.get("message") or ""
    return "", ""


def waits_for(pod: Json, warning: str | None) -> str | None:
    """What keeps it from starting, in the cluster's words; None where it is just not that far."""
    reason, message = waiting(pod)
    if not reason:
        return warning
    # Back-offs repeat the error that they follow: said alike, it is one message.
    for error in ("ErrImagePull: ", "InvalidImageName: "):
        if error in message:
            return message[message.index(error) :]
    return f"{reason}: {message}" if message else reason


def _ended(ref: JobRef, pod: Json, deleted_at: datetime | None) -> JobObservation:
    end = terminated(pod)
    verdict = verdict_of(pod)
    finished = time_of(end.get("finishedAt")) if end else None
    # A kubelet that finds nothing of a container gives it an exit code all the same.
    code = end.get("exitCode") if end and finished else None
    status, message, infrastructure, retryable = Status.SUCCEEDED, None, False, True
    if _is_its_own(pod, finished, verdict, deleted_at):
        status, message = _own_end(pod, end)
    elif verdict is not None and verdict.reason == "stopped":
        status, message = Status.STOPPED, "stopped"
    elif verdict is not None:
        retryable = verdict.reason not in {"timeout", "refused"}
        status, message = Status.FAILED, verdict.message
    elif (why := _infrastructure(pod, end)) is not None:
        if code != 0:
            status, message, infrastructure = Status.FAILED, f"infrastructure: {why}", True
    else:
        status, message, retryable = Status.FAILED, "deleted by someone else", False
    if verdict is not None and finished is not None and status in {Status.STOPPED, Status.FAILED}:
        finished = max(finished, verdict.at)  # kubelets tell whole seconds
    return JobObservation(
        ref,
        status,
        message=message,
        exit_code=code if isinstance(code, int) else None,
        started_at=time_of(end.get("startedAt")) if end else None,
        finished_at=finished,
        infrastructure=infrastructure,
        retryable=retryable,
        node=pod["spec"].get("nodeName"),
        details=_details(pod, end, status),
    )


def _is_its_own(
    pod: Json, finished: datetime | None, verdict: Verdict | None, deleted_at: datetime | None
) -> bool:
    """Whether it ended by itself, before or without being deleted. Kubelets tell whole seconds: an end in the
    second of the deletion counts as caused by it."""
    if _infrastructure(pod, terminated(pod)) is not None and verdict is None:
        return False
    asked = deleted_at or deletion_asked(pod)
    if deleted_at is None and asked is not None and _was_told_to_end(pod):
        # Only the end was seen, and a kubelet confirms it up to seconds later.
        asked -= _CONFIRMED
    times = [at for at in (asked, verdict.at if verdict else None) if at is not None]
    if not times:
        return True
    return finished is not None and finished < min(times).replace(microsecond=0)


def _was_told_to_end(pod: Json) -> bool:
    end = terminated(pod)
    return end is not None and end.get("exitCode") in {137, 143}


def _own_end(pod: Json, end: Json | None) -> tuple[Status, str | None]:
    if end is None:
        return Status.FAILED, _preparation_failed(pod) or pod["status"].get("message") or "it never started"
    code, reason = end.get("exitCode"), end.get("reason")
    if code == 0:
        return Status.SUCCEEDED, None
    if reason == "OOMKilled":
        return Status.FAILED, f"out of memory (OOM): over its limit of {_memory_limit(pod)}"
    if reason in {"StartError", "ContainerCannotRun"}:
        return Status.FAILED, f"could not be started: {end.get('message') or reason}"
    if names.is_build(pod) and end.get("message"):
        return Status.FAILED, str(end["message"])
    return Status.FAILED, exit_text(code)


def exit_text(code: object) -> str:
    """How a command ended that did not succeed."""
    if not isinstance(code, int) or code <= 128:
        return f"failed with exit code {code}"
    try:
        return f"ended by {signal.Signals(code - 128).name} (exit code {code})"
    except ValueError:
        return f"failed with exit code {code}"


def _preparation_failed(pod: Json) -> str | None:
    for status in _init(pod):
        end = _state(status).get("terminated")
        if end and end.get("exitCode") != 0:
            said = str(end.get("message") or "").strip().splitlines()
            return said[-1] if said else f"its preparation {exit_text(end.get('exitCode'))}"
    return None


def _infrastructure(pod: Json, end: Json | None) -> str | None:
    """What of the infrastructure ended it, if that did."""
    status = pod["status"]
    finished = time_of(end.get("finishedAt")) if end else None
    for condition in conditions(pod):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            since = time_of(condition.get("lastTransitionTime"))
            if finished is None or since is None or finished >= since:
                return f"{condition.get('reason')}: {condition.get('message')}"
    if status.get("reason") in _INFRASTRUCTURE:
        return f"{status['reason']}: {status.get('message') or 'its node ended it'}"
    if end is not None and end.get("reason") in LOST_CONTAINER:
        said = end.get("message") or "its node lost it, as when it restarts"
        return f"{end['reason']}: {said}"
    return None


def _details(pod: Json, end: Json | None, status: Status) -> dict[str, object] | None:
    details: dict[str, object] = {}
    if end is not None and time_of(end.get("finishedAt")) is not None:
        details["reason"] = end.get("reason")
        said = end.get("message")
        if status is Status.FAILED and said and not names.is_build(pod):
            details["last_lines"] = without_ends(str(said).splitlines(), pod["metadata"]["name"])[-10:]
    elif pod["status"].get("reason"):
        details["reason"] = pod["status"]["reason"]
    return details or None


def _memory_limit(pod: Json) -> str:
    for container in pod["spec"].get("containers") or ():
        if container["name"] == names.MAIN:
            limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
            return bytes_text(int(read_quantity(limit))) if limit else "its node"
    return "its node"


def deletion_asked(pod: Json) -> datetime | None:
    """When its deletion was asked for: the time on the object is that plus the grace period. As soon as its
    kubelet has confirmed the end, it is the time of that instead."""
    due = time_of(pod["metadata"].get("deletionTimestamp"))
    if due is None:
        return None
    return due - timedelta(seconds=pod["metadata"].get("deletionGracePeriodSeconds") or 0)


def conditions(pod: Json) -> Iterable[Json]:
    return pod["status"].get("conditions") or ()


def _init(pod: Json) -> Iterable[Json]:
    return pod["status"].get("initContainerStatuses") or ()


def _main(pod: Json) -> Json:
    for status in pod["status"].get("containerStatuses") or ():
        if status["name"] == names.MAIN:
            return dict(status)
    return {}


def _state(status: Json) -> Json:
    return dict(status.get("state") or {})


_CONFIRMED = timedelta(seconds=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(text: object) -> datetime | None:
    """A time of the API's; one before 1971 is none (a container that was never started has year 1)."""
    if not isinstance(text, str):
        return None
    time = datetime.fromisoformat(text).astimezone(UTC)
    return time if time.year > 1970 else None
