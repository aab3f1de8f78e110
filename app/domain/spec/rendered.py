"""A spec as it is launched: rendered, checked, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.lifecycle import Role
from app.domain.runs import Resources


@dataclass(frozen=True, slots=True)
class Build:
    """What the environment is made of; `image` is None where the settings' default is meant."""

    image: str | None = None
    steps: tuple[str, ...] = ()
    env_vars: tuple[tuple[str, str], ...] = ()
    nocache: bool = False

    @property
    def needed(self) -> bool:
        """Whether there is something to build: an image alone builds nothing."""
        return bool(self.steps)


@dataclass(frozen=True, slots=True)
class Job:
    """One job of an experiment: what it is, what it may use, and where its pods may go."""

    role: Role
    index: int
    resources: Resources = field(default_factory=Resources)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, object] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class RenderedSpec:
    """A rendered spec.

    `declarations` is plain JSON, None where none were given; `command` goes to `/bin/sh -c`; `timeout` is
    seconds of running; `jobs` begin with the master. `references` are other experiments as they were named:
    an id, `name`, `project/name` or `user/project/name`. `resources` is the JSON for the experiment's key:
    totals over its jobs, memory in MiB; None where nothing was asked for.
    """

    declarations: dict[str, object] | None
    tags: tuple[str, ...]
    log_level: str
    build: Build | None
    command: str
    max_retries: int
    timeout: float | None
    framework: str | None
    jobs: tuple[Job, ...]
    references: tuple[int | str, ...]
    data_volumes: tuple[str, ...]
    outputs_volume: str | None
    secret_refs: tuple[str, ...]
    configmap_refs: tuple[str, ...]
    resources: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the settings allow. The first outputs volume is the default one.

    At launch `enforced` is False: what create accepted stays accepted, whatever the settings are by then.
    """

    max_jobs: int = 1000
    data_volumes: tuple[str, ...] = ()
    outputs_volumes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    configmaps: tuple[str, ...] = ()
    enforced: bool = True
