"""`bunsen reconcile`: the reconciler alone."""

import asyncio
import signal
from typing import Any

import click

from app.cli.database import with_database
from app.cli.hang_up import end_on_hang_up
from app.cli.options import CLUSTER, read_settings, setting_options
from app.settings import Settings
from app.worker import run_worker


@click.command("reconcile")
@setting_options(
    *("data", "database_url", "advertise_url", "log_level", "status_port"),
    *("cpus", "memory", "gpus", "python", "grace", "stop_jobs_on_exit"),
    *CLUSTER,
)
def command(**typed: Any) -> None:
    """The reconciler alone. Several may run: one leads, the others wait to take over."""
    asyncio.run(_until_signalled(with_database(read_settings(typed))))


async def _until_signalled(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    end_on_hang_up()
    await run_worker(settings, stopping)
