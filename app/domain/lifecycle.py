"""Statuses, the moves they allow, and how jobs' statuses make the experiment's."""

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """Where an experiment, a job or a build stands."""

    CREATED = "created"
    RESUMING = "resuming"
    BUILDING = "building"
    SCHEDULED = "scheduled"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What a job is in its experiment."""

    MASTER = "master"
    WORKER = "worker"
    PS = "ps"
    SERVER = "server"


DONE = frozenset({Status.SUCCEEDED, Status.FAILED, Status.STOPPED})
LAUNCHED = frozenset({Status.STARTING, Status.RUNNING, Status.UNKNOWN})

# How far along a live status is. A launched run only goes back to `scheduled`, for a new attempt,
# or to `unknown` and back, when its node is lost and found.
_ORDER = {
    Status.CREATED: 0,
    Status.RESUMING: 1,
    Status.BUILDING: 2,
    Status.SCHEDULED: 3,
    Status.STARTING: 4,
    Status.RUNNING: 5,
}


def may_move(seen: Status, to: Status) -> bool:
    """Whether something with pods or processes may go from `seen` to `to`.

    A finished status is never left; `scheduled` is reached again by a new attempt; `unknown` from and to
    any launched status; else only forward. The same status again is a message, not a move, and is allowed.
    """
    if seen in DONE:
        return False
    if to in DONE or to == seen:
        return True
    if to is Status.UNKNOWN:
        return seen in LAUNCHED
    if seen is Status.UNKNOWN:
        return to in LAUNCHED or to is Status.SCHEDULED
    if to is Status.SCHEDULED:
        return True
    return _ORDER[to] > _ORDER[seen]


def experiment_status(master: Status, others: Iterable[Status]) -> Status:
    """The experiment's status from its jobs', within one attempt (`spec.md`, roles).

    It ends as its master ends; a job that fails before that fails it; it is `running` when its master is,
    `starting` when any job is.
    """
    rest = list(others)
    if master in DONE:
        return master
    if Status.FAILED in rest:
        return Status.FAILED
    if Status.UNKNOWN in (master, *rest):
        return Status.UNKNOWN
    if master is Status.RUNNING:
        return Status.RUNNING
    if master is Status.STARTING or any(s in LAUNCHED or s in DONE for s in rest):
        return Status.STARTING
    return Status.SCHEDULED
