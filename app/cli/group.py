"""The `bunsen` command: reads the first word, and imports what that one needs."""

import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

import click

from app.cli.sentences import SENTENCES, sentence

# Each command's module holds it as `command`. `migrate` and `user` must be quick, and `up` refuse at once, so
# none imports what another needs.
COMMANDS = {
    "up": "The whole service in the foreground.",
    "serve": "The HTTP API alone; several may run.",
    "reconcile": "The reconciler alone; of several, one leads.",
    "migrate": "Bring the database's schema up.",
    "user": "Add and list users, set passwords.",
    "token": "Create, list and revoke tokens.",
    "clear": "Remove what an installation left on its cluster.",
    "demo": "A first experiment, through a running service.",
}


class Commands(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"app.cli.{name}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(metadata.version("bunsen"), prog_name="bunsen")
def bunsen() -> None:
    """Launch, follow and keep machine-learning experiments.

    Every setting is also a variable: BUNSEN_PORT for --port, and so on.
    """


def main(words: Sequence[str] | None = None) -> None:
    """Run a command, by default what was typed; what goes wrong in a way that is known is one sentence and
    exit code 1."""
    try:
        bunsen(words, prog_name="bunsen")
    except SENTENCES as error:
        click.echo(f"bunsen: {sentence(error)}", err=True)
        sys.exit(1)
