"""Every setting of the service: `BUNSEN_…` variables, each with a default that runs."""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

GIB = 1024**3
MIB = 1024**2


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
    port: int = 8000
    public_url: str | None = None
    advertise_url: str | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    metrics_open: bool = True
    environment: str = "production"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # The database
    database_pool: int = 10
    database_timeout: float = 10.0

    # People
    root_password: str | None = None
    login_tries: int = 10
    login_window: float = 60.0
    token_cache: float = 5.0

    # What may be sent
    max_body: int = 10 * MIB
    max_upload: int = 512 * MIB
    max_unpacked: int = 4 * GIB
    max_entries: int = 100_000

    # Runs
    launcher: Literal["local"] = "local"
    default_image: str = "python:3.11-slim"
    max_jobs: int = 1_000
    grace: float = 30.0
    ttl: int = 60
    retry_backoff: float = 5.0
    retry_backoff_max: float = 300.0
    unused_environments: float = 14 * 86_400.0
    heartbeat_timeout: float = 1_800.0
    tensorboard_idle: float = 12 * 3_600.0
    tensorboard_start: float = 30.0
    idempotency: float = 86_400.0
    step_env: dict[str, str] = Field(default_factory=dict)
    data_volumes: dict[str, str] = Field(default_factory=dict)
    outputs_volumes: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    configmaps: dict[str, str] = Field(default_factory=dict)

    # One machine
    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    python: str | None = None
    uids: str = "50000-59999"
    stop_jobs_on_exit: bool | None = None

    # The reconciler
    tick: float = 2.0
    status_port: int | None = None

    @field_validator("trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_network(address, strict=False)
        return value

    @field_validator("public_url", "advertise_url")
    @classmethod
    def _no_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None

    @property
    def api_url(self) -> str:
        """The URL at which jobs reach the service."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104
        return self.advertise_url or f"http://{host}:{self.port}"

    @property
    def uid_range(self) -> tuple[int, int]:
        """First and last uid for experiments on one machine, both included."""
        first, _, last = self.uids.partition("-")
        return int(first), int(last or first)
