"""`bunsen serve`: the HTTP API alone."""

import socket
from typing import Any

import click

from app.cli.database import with_database
from app.cli.http_server import serve
from app.cli.options import read_settings, setting_options
from app.main import create_app
from app.supervisor.listening import listen


@click.command("serve")
@click.option("--fd", type=int, default=None, hidden=True)
@setting_options("host", "port", "data", "database_url", "public_url", "advertise_url", "log_level")
def command(fd: int | None, **typed: Any) -> None:
    """The HTTP API alone; several may run, each on a port of its own."""
    settings = with_database(read_settings(typed))
    listener = socket.socket(fileno=fd) if fd is not None else listen(settings.host, settings.port)
    serve(create_app(settings), listener)
