"""What the Kubernetes launcher is told: where pods run and as whom, what they mount, how long it waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.runs import Amounts
from app.volumes import Volume


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """`data` is the service's own folder, `installation` tells this service's objects from another's.

    `api_url` is how pods reach the service. `outputs` holds all experiments' outputs unless a spec names one
    of `outputs_volumes`; pods find a folder of it at the path that the service has it at. `data_volumes` are
    mounted read-only. `tensorboard_image` has Python and TensorBoard. Built images go to `registry`
    (`HOST[:PORT][/PATH]`), which the service reaches at `registry_url`, with the login of `registry_secret`;
    `step_env` are variables of build steps, `build_requests` what a build's pod requests of a node. `secrets`
    and `configmaps` give the names in the namespace of what specs name. Jobs run as `uid` and `gid`. The
    times are seconds: `pull_grace` for what keeps a pod from starting, `schedule_timeout` for a node,
    `node_lost_timeout` for a lost node to come back; None waits for ever.
    """

    data: Path
    installation: str
    api_url: str
    outputs: Volume
    namespace: str = "default"
    default_image: str = "python:3.11-slim"
    helper_image: str = "busybox:1.37"
    tensorboard_image: str | None = None
    builder_image: str | None = None
    build_requests: Amounts = field(default_factory=Amounts)
    pull_secrets: tuple[str, ...] = ()
    registry: str | None = None
    registry_url: str | None = None
    registry_secret: str | None = None
    insecure_registries: tuple[str, ...] = ()
    step_env: Mapping[str, str] = field(default_factory=dict)
    uid: int = 10001
    gid: int = 10001
    data_volumes: Mapping[str, Volume] = field(default_factory=dict)
    outputs_volumes: Mapping[str, Volume] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    configmaps: Mapping[str, str] = field(default_factory=dict)
    pull_grace: float = 180.0
    schedule_timeout: float | None = None
    node_lost_timeout: float | None = None
    proof_seconds: float = 60.0

    def outputs_volume(self, name: str | None) -> Volume | None:
        """The outputs volume of that name; None where the settings name it no more."""
        return self.outputs if name is None else self.outputs_volumes.get(name)

    @property
    def build_repository(self) -> str | None:
        """Where built images lie; None where no registry is set."""
        return None if self.registry is None else f"{self.registry}/builds"

    @property
    def image_secrets(self) -> tuple[str, ...]:
        """The Secrets with which images are pulled, the registry's of built ones last."""
        return (*self.pull_secrets, *((self.registry_secret,) if self.registry_secret else ()))
