"""`bunsen serve`: the HTTP API alone."""

import socket
import sys
from typing import Any

import click

from app.cli.database import with_database
from app.cli.hang_up import end_on_hang_up
from app.cli.http_server import serve
from app.cli.options import read_settings, setting_options
from app.cli.prepare import prepare
from app.main import create_app
from app.supervisor.listening import http_url, listen


@click.command("serve")
@click.option("--fd", type=int, default=None, hidden=True)
@click.option("--prepare", "prepare_to", type=int, default=None, hidden=True)
@setting_options(
    "host",
    "port",
    "data",
    "database_url",
    "public_url",
    "advertise_url",
    "log_level",
    "launcher",
    "outputs_volume",
)
def command(fd: int | None, prepare_to: int | None, **typed: Any) -> None:
    """The HTTP API alone; several may run, each on a port of its own."""
    # `bunsen up` gives the socket, and has the first API of a start prepare the database: it has loaded
    # what that needs, so that nobody waits for another process.
    end_on_hang_up()
    settings = with_database(read_settings(typed))
    listener = socket.socket(fileno=fd) if fd is not None else listen(settings.host, settings.port)
    if fd is None:
        click.echo(f"The API is at {http_url(*listener.getsockname()[:2])}.", err=True)
    if prepare_to is not None and not prepare(settings, prepare_to):
        sys.exit(1)
    serve(create_app(settings), listener)
