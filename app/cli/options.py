"""Settings as options of the same name, where a person would type them."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from app.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

FOLDER = click.Path(readable=False)  # as it was typed: an empty one is refused
TYPES_AND_HELP: dict[str, tuple[Any, str]] = {
    "data": (FOLDER, "The folder of all that is kept (/var/lib/bunsen as root, else ~/.local/share/bunsen)."),
    "database_url": (str, "Another Postgres in place of the service's own (DATABASE_URL)."),
    "host": (str, "The address to listen on (127.0.0.1)."),
    "port": (click.IntRange(0, 65535), "The port to listen on (8000); 0 takes a free one."),
    "public_url": (str, "How users reach the service, where that is another URL."),
    "advertise_url": (str, "How jobs reach the service, where that is another URL."),
    "log_level": (click.Choice(["debug", "info", "warning", "error"]), "How much is said (info)."),
    "launcher": (click.Choice(["local", "kubernetes"]), "What runs experiments (local: as processes here)."),
    "namespace": (str, "The cluster's namespace for pods (default)."),
    "installation": (str, "The label of what is this installation's there (made once)."),
    "outputs_volume": (str, "Where outputs of pods lie: hostPath:PATH or pvc:NAME (the data folder's path)."),
    "default_image": (str, "The image of specs that name none (python:3.11-slim)."),
    "helper_image": (str, "The image of the service's own pods (busybox:1.37)."),
    "tensorboard_image": (
        str,
        "The image of TensorBoards in pods, such as the service's own (none).",
    ),
    "builder_image": (str, "The image with Buildah that makes images (none: steps are refused)."),
    "build_cpus": (float, "The cores that a build's pod requests (0.5); 0 requests none."),
    "build_memory": (int, "The bytes of memory that it requests (536870912); 0 requests none."),
    "pull_secrets": (str, "Secrets with logins of image registries, with commas between (none)."),
    "registry": (str, "Where built images go: HOST[:PORT][/PATH] (nowhere: steps are refused)."),
    "registry_url": (str, "How the service reaches it (https://HOST:PORT)."),
    "registry_secret": (str, "The Secret with its login (none)."),
    "insecure_registries": (str, "Registries without TLS, with commas between (none)."),
    "job_uid": (int, "The user of jobs in pods (the service's own; 10001 where that is root)."),
    "job_gid": (int, "The group of jobs in pods (likewise)."),
    "cpus": (float, "The cores that experiments may use (those that there are)."),
    "memory": (int, "The bytes of memory that experiments may use (what there is)."),
    "gpus": (int, "The GPUs that experiments may use (those that there are)."),
    "python": (str, "The Python of experiments (the newest that their users can run)."),
    "grace": (float, "Seconds between a stop and the kill (30)."),
    "status_port": (int, "Where the reconciler answers /healthz and /readyz (nowhere)."),
    "stop_jobs_on_exit": (bool, "Whether experiments end with the service (only as process 1)."),
}

# Those of pods, for what launches them.
CLUSTER = (
    *("launcher", "namespace", "installation", "outputs_volume", "default_image", "helper_image"),
    *("tensorboard_image", "pull_secrets", "builder_image", "build_cpus", "build_memory"),
    *("registry", "registry_url", "registry_secret", "insecure_registries", "job_uid", "job_gid"),
)


def setting_options(*names: str) -> Callable[[Function], Function]:
    """Give a command these settings as options; one that is not typed is None."""

    def give(function: Function) -> Function:
        for name in reversed(names):
            kind, help_line = TYPES_AND_HELP[name]
            option = click.option(
                f"--{name.replace('_', '-')}", name, type=kind, default=None, help=help_line
            )
            function = option(function)
        return function

    return give


def read_settings(typed: Mapping[str, Any]) -> Settings:
    """The settings, those that were typed first, and messages to the terminal as they say.

    An empty DATABASE_URL is none. Raises pydantic's ValidationError for a value that can't be.
    """
    given = {name: value for name, value in typed.items() if value is not None}
    settings = Settings(**given)
    if not settings.database_url:
        settings = settings.model_copy(update={"database_url": None})
    for chatty in ("alembic", "uvicorn.error", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return settings


def environment_for(typed: Mapping[str, Any]) -> dict[str, str]:
    """This process' environment with the settings that were typed, for the programs that it starts."""
    given = {
        "DATABASE_URL" if name == "database_url" else f"BUNSEN_{name.upper()}": str(value)
        for name, value in typed.items()
        if value is not None
    }
    return dict(os.environ) | given
