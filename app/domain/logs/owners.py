"""Whose log it is: an experiment's, shared by all its jobs, or a build's."""

from dataclasses import dataclass
from enum import StrEnum


class OwnerKind(StrEnum):
    """What has a log."""

    EXPERIMENT = "experiment"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class LogOwner:
    """An experiment or a build, by its id. `key` is its name in announcements."""

    kind: OwnerKind
    id: int

    @property
    def key(self) -> str:
        return f"{self.kind.value}-{self.id}"


def of_experiment(experiment_id: int) -> LogOwner:
    """The owner of an experiment's log."""
    return LogOwner(OwnerKind.EXPERIMENT, experiment_id)


def of_build(build_id: int) -> LogOwner:
    """The owner of a build's log."""
    return LogOwner(OwnerKind.BUILD, build_id)
