"""`bunsen clear`: all that an installation has on its cluster is removed; for when its service is gone."""

import asyncio
from typing import Any

import click

from app.cli.options import read_settings, setting_options
from app.embedded.errors import CannotStart
from app.launchers.base import LauncherAway, LauncherUnusable
from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import ApiRefused, Cluster, connect
from app.settings import Settings

POLL = 0.5  # seconds between looks whether the pods are gone
PATIENCE = 60.0  # seconds for them to go, beyond the grace


@click.command("clear")
@setting_options("data", "namespace", "grace")
def command(**typed: Any) -> None:
    """Remove all that an installation has on its cluster, once its service runs no more.

    BUNSEN_INSTALLATION names it, else the data folder. Pods that run get SIGTERM and the grace.
    """
    settings = read_settings(typed)
    installation = settings.installation or _kept_installation(settings)
    try:
        pods, owners = asyncio.run(_clear(settings, installation))
    except (LauncherUnusable, LauncherAway, ApiRefused) as error:
        raise CannotStart(f"The cluster can't be cleared: {str(error).removesuffix('.')}.") from None
    click.echo(f"Removed {pods} pods of {installation}, and what {owners} experiments had besides.")


def _kept_installation(settings: Settings) -> str:
    """Raises CannotStart."""
    try:
        return (settings.data / "installation").read_text().strip()
    except OSError as error:
        raise CannotStart(
            f"Nothing says which installation to clear: BUNSEN_INSTALLATION is not set, and "
            f"{settings.data / 'installation'} can't be read ({error.strerror})."
        ) from None


async def _clear(settings: Settings, installation: str) -> tuple[int, int]:
    """How many pods and owners there were. Raises CannotStart, LauncherUnusable, LauncherAway, ApiRefused."""
    cluster = await connect()
    base, mine = f"/api/v1/namespaces/{settings.namespace}", names.selector(installation)
    try:
        pods, _ = await cluster.list(f"{base}/pods", mine)
        for pod in pods:
            await _release(cluster, f"{base}/pods/{pod['metadata']['name']}", pod)
            await cluster.delete(f"{base}/pods/{pod['metadata']['name']}", grace=settings.grace)
        owners, _ = await cluster.list(f"{base}/configmaps", mine)
        for owner in owners:
            await cluster.delete(f"{base}/configmaps/{owner['metadata']['name']}")
        until = asyncio.get_running_loop().time() + settings.grace + PATIENCE
        while left := (await cluster.list(f"{base}/pods", mine))[0]:
            if asyncio.get_running_loop().time() > until:
                raise CannotStart(f"{len(left)} pods do not go, {left[0]['metadata']['name']} among them.")
            await asyncio.sleep(POLL)
        return len(pods), len(owners)
    finally:
        await cluster.close()


async def _release(cluster: Cluster, path: str, pod: dict[str, Any]) -> None:
    """Take off our finalizer; others' stay. Raises ApiRefused, LauncherAway."""
    held = pod["metadata"].get("finalizers") or []
    if names.FINALIZER not in held:
        return
    rest = [name for name in held if name != names.FINALIZER]
    try:
        await cluster.patch(path, {"metadata": {"finalizers": rest or None}})
    except ApiRefused as refusal:
        if refusal.status != 404:
            raise
