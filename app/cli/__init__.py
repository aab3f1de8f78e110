"""The command line: `bunsen`."""

from app.cli.group import main

__all__ = ["main"]
