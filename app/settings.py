"""Every setting of the service: `BUNSEN_…` variables, each with a default that runs."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.volumes import Volume, read_volume

GIB = 1024**3
MIB = 1024**2

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]

_FIRST_UID, _LAST_UID = 1000, 2**32 - 3  # below are the system's own users, above are words of the kernel's

_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_URL = re.compile(r"https?://[^/?#\s]+[^?#\s]*")
_UIDS = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/?#\s\"\[\]]+|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:[0-9]+)?")
_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


def default_data_dir() -> Path:
    """`/var/lib/bunsen` as root, else `~/.local/share/bunsen`."""
    return Path("/var/lib/bunsen") if os.geteuid() == 0 else Path.home() / ".local/share/bunsen"


class Settings(BaseSettings):
    """All settings. Times are seconds, sizes bytes, unless a name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="BUNSEN_", extra="ignore", frozen=True, populate_by_name=True
    )

    # Where things lie and how the service is reached
    data: Path = Field(default_factory=default_data_dir)
    database_url: str | None = Field(
        default=None, validation_alias=AliasChoices("DATABASE_URL", "database_url")
    )
    host: str = "127.0.0.1"
    port: Port = 8000
    public_url: str | None = None
    advertise_url: str | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    metrics_open: bool = True
    environment: str = "production"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # The database
    database_pool: AtLeastOne = 10
    database_timeout: Positive = 10.0

    # People
    root_password: str | None = None
    login_tries: AtLeastOne = 10
    login_window: NotNegative = 60.0
    token_cache: NotNegative = 5.0

    # What may be sent
    max_body: AtLeastOne = 10 * MIB
    max_upload: AtLeastOne = 512 * MIB
    max_unpacked: AtLeastOne = 4 * GIB
    max_entries: AtLeastOne = 100_000

    # Runs
    launcher: Literal["local", "kubernetes"] = "local"
    default_image: str = "python:3.11-slim"
    max_jobs: AtLeastOne = 1_000
    grace: NotNegative = 30.0
    ttl: Count = 60
    retry_backoff: NotNegative = 5.0
    retry_backoff_max: NotNegative = 300.0
    unused_environments: NotNegative = 14 * 86_400.0
    heartbeat_timeout: NotNegative = 1_800.0
    tensorboard_idle: NotNegative = 12 * 3_600.0
    tensorboard_start: NotNegative = 30.0
    idempotency: NotNegative = 86_400.0
    step_env: dict[str, str] = Field(default_factory=dict)
    data_volumes: dict[str, str] = Field(default_factory=dict)
    outputs_volumes: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    configmaps: dict[str, str] = Field(default_factory=dict)

    # One machine
    cpus: Positive | None = None
    memory: AtLeastOne | None = None
    gpus: Count | None = None
    python: str | None = None
    uids: str = "50000-59999"
    stop_jobs_on_exit: bool | None = None

    # A cluster
    namespace: str = "default"
    installation: str | None = None
    outputs_volume: str | None = None
    helper_image: str = "busybox:1.37"
    tensorboard_image: str | None = None
    pull_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    builder_image: str | None = None
    build_cpus: float = Field(default=0.5, ge=0)
    build_memory: int = Field(default=512 * MIB, ge=0)
    registry: str | None = None
    registry_url: str | None = None
    registry_secret: str | None = None
    insecure_registries: Annotated[tuple[str, ...], NoDecode] = ()
    job_uid: Count | None = None
    job_gid: Count | None = None
    pull_grace: NotNegative = 180.0
    schedule_timeout: NotNegative | None = None
    node_lost_timeout: NotNegative | None = None

    # The reconciler
    tick: Positive = 2.0
    status_port: Port | None = None

    @field_validator("trusted_proxies", "cors_origins", "pull_secrets", "insecure_registries", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_network(address, strict=False)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is no origin as browsers send them, like https://ui.example")
        return value

    @field_validator("outputs_volume")
    @classmethod
    def _one_volume(cls, value: str | None) -> str | None:
        return _checked(value) if value else None

    @field_validator("data_volumes", "outputs_volumes")
    @classmethod
    def _volumes(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: _checked(text) for name, text in value.items()}

    @field_validator("installation")
    @classmethod
    def _label(cls, value: str | None) -> str | None:
        if value and not _LABEL.fullmatch(value):
            raise ValueError("it becomes a label: at most 63 letters, digits, dots, dashes, underscores")
        return value or None

    @field_validator("registry")
    @classmethod
    def _repository(cls, value: str | None) -> str | None:
        if value and not _REGISTRY.fullmatch(value):
            raise ValueError("it is HOST[:PORT][/PATH], without a scheme, like registry.example:5000/bunsen")
        return value or None

    @field_validator("public_url", "advertise_url", "registry_url")
    @classmethod
    def _no_slash(cls, value: str | None) -> str | None:
        if value and not _URL.fullmatch(value):
            raise ValueError("it is an http:// or https:// URL")
        return value.rstrip("/") if value else None

    @field_validator("data", mode="before")
    @classmethod
    def _a_folder(cls, value: object) -> object:
        if value == "":
            raise ValueError("it names no folder")
        if os.pathsep in str(value):
            raise ValueError(
                f"its path may hold no {os.pathsep}, which no Python environment can be made below"
            )
        return value

    @field_validator("uids")
    @classmethod
    def _uids(cls, value: str) -> str:
        found = _UIDS.fullmatch(value)
        if found is None or not _FIRST_UID <= int(found[1]) <= int(found[2] or found[1]) <= _LAST_UID:
            raise ValueError(f"it is FIRST-LAST, from {_FIRST_UID} on: below are the system's own users")
        return value

    @property
    def api_url(self) -> str:
        """The URL at which jobs reach the service."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104
        return self.advertise_url or f"http://{host}:{self.port}"

    @property
    def outputs(self) -> Volume:
        """Where outputs lie unless a spec names a volume: in the data folder, or where a setting says."""
        folder = str((self.data / "outputs").absolute())
        if self.launcher == "local" or self.outputs_volume is None:
            return Volume("hostPath", folder, folder)
        volume = read_volume(self.outputs_volume)
        return volume if volume.path else Volume(volume.kind, volume.source, folder)

    def outputs_root(self, volume: str | None) -> Path:
        """The service's own path of an outputs volume; of one that is named no more, where the others lie."""
        text = self.outputs_volumes.get(volume) if volume is not None else None
        return Path((read_volume(text).path if text is not None else None) or self.outputs.path or "")

    @property
    def gives_users(self) -> bool:
        """Whether each experiment gets a user of its own, out of `uid_range`."""
        return self.launcher == "local" and os.geteuid() == 0

    @property
    def uid_range(self) -> tuple[int, int]:
        """First and last uid for experiments on one machine, both included."""
        first, _, last = self.uids.partition("-")
        return int(first), int(last or first)


def _checked(text: str) -> str:
    """A volume's text as it is. Raises ValueError."""
    read_volume(text)
    return text
