"""`bunsen up`: the whole service in the foreground."""

from typing import Any

import click

from app.cli.options import CLUSTER, environment_for, read_settings, setting_options
from app.supervisor.up import up


@click.command("up")
@setting_options(
    *("host", "port", "data", "database_url", "public_url", "advertise_url", "log_level"),
    *("cpus", "memory", "gpus", "python", "grace", "stop_jobs_on_exit"),
    *CLUSTER,
)
def command(**typed: Any) -> None:
    """The whole service in the foreground: Postgres, the API and the reconciler.

    Ctrl-C ends it; experiments go on, and the next start takes them up again.
    """
    up(read_settings(typed), environment_for(typed))
