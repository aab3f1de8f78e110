"""`bunsen up`: the whole service in the foreground."""

import importlib
from typing import Any

import click

from app.cli.group import main
from app.cli.options import CLUSTER, environment_for, read_settings, setting_options
from app.launching import load_launcher
from app.supervisor.programs import Run
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
    settings = read_settings(typed)

    def load() -> Run:
        for name in ("app.cli.serve", "app.cli.reconcile"):  # only now: a refusal need not wait for them
            importlib.import_module(name)
        load_launcher(settings)
        return main

    up(settings, environment_for(typed), load)
