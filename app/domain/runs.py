"""What launchers are given and what they say back: frozen, plain, the same for processes and pods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.domain.lifecycle import Role, Status


class RunKind(StrEnum):
    """What a run is for. Only experiments count against a machine's capacity."""

    EXPERIMENT = "experiment"
    BUILD = "build"
    TENSORBOARD = "tensorboard"


TENSORBOARD_SECRET = "BUNSEN_TENSORBOARD_SECRET"  # noqa: S105 - the variable's name


@dataclass(frozen=True, slots=True)
class Amounts:
    """Cores, bytes of memory and a count of GPUs; None where nothing was said."""

    cpu: float | None = None
    memory: int | None = None
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Requests decide what fits; limits are held."""

    requests: Amounts = Amounts()
    limits: Amounts = Amounts()


@dataclass(frozen=True, slots=True)
class JobRef:
    """One attempt of one job. `name` is unique for ever: the pod's name, the process' folder."""

    uuid: str
    attempt: int

    @property
    def name(self) -> str:
        return f"{self.uuid}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job of a run: a role, its index, what it may use, and where its pods may go."""

    ref: JobRef
    role: Role
    index: int
    resources: Resources = Resources()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, object] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What a build run makes: `files` are the names in the code archive that its steps see."""

    hash: str
    image: str | None
    steps: tuple[str, ...]
    nocache: bool = False


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that starts together: one attempt of an experiment, a build, or a TensorBoard.

    `uuid` is the experiment's, build's or TensorBoard's. `command` goes to `/bin/sh -c`. `variables` are
    the same for all jobs; those that tell a job its role and peers are the launcher's to add
    (`domain/spec/variables.py`), since it alone knows the addresses. `token` reaches the job's environment
    and nothing that is stored: an experiment's own, or a TensorBoard's secret (`TENSORBOARD_SECRET`).
    `outputs` is the uuid of the folder that it writes, or that a TensorBoard reads, `principal` the uuid as
    which it runs (a resume runs as its original; a build as itself), `reads` the uuids of outputs folders
    of other experiments that it may read. `environment` is what `Launcher.find_environment` gave for its
    build, None for the default. `timeout` and `grace` are seconds.
    """

    uuid: str
    kind: RunKind
    attempt: int
    jobs: tuple[JobSpec, ...]
    command: str
    variables: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    framework: str | None = None
    principal: str = ""
    outputs: str | None = None
    reads: tuple[str, ...] = ()
    code: str | None = None
    image: str | None = None
    environment: str | None = None
    build: BuildSpec | None = None
    env_vars: tuple[tuple[str, str], ...] = ()
    secret_refs: tuple[str, ...] = ()
    configmap_refs: tuple[str, ...] = ()
    data_volumes: tuple[str, ...] = ()
    outputs_volume: str | None = None
    timeout: float | None = None
    grace: float = 30.0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobObservation:
    """What a launcher sees of one attempt of a job. The first final one stays.

    `status` is one of scheduled, starting, running, succeeded, failed, stopped, unknown. `infrastructure`
    marks a failure that is not the job's own (its runner was killed, the machine restarted, evicted).
    `details` are facts for the job's status row.
    """

    ref: JobRef
    status: Status
    message: str | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    infrastructure: bool = False
    retryable: bool = True
    node: str | None = None
    details: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a run may start now. `never` is one that can't fit here at all."""

    admitted: bool
    message: str | None = None
    never: bool = False
