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
@click.option("--deployment", metavar="NAMESPACE/NAME", help="The reconciler's Deployment, stopped first.")
@setting_options("data", "namespace", "grace")
def command(deployment: str | None, **typed: Any) -> None:
    """Remove all that an installation has on its cluster, once its reconciler runs no more.

    BUNSEN_INSTALLATION names it, else the data folder. Pods that run get SIGTERM and the grace.
    """
    if deployment is not None and deployment.count("/") != 1:
        raise click.BadParameter("it is NAMESPACE/NAME", param_hint="--deployment")
    settings = read_settings(typed)
    installation = settings.installation or _kept_installation(settings)
    try:
        pods, owners = asyncio.run(_stop_and_clear(settings, installation, deployment))
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


async def _stop_and_clear(settings: Settings, installation: str, deployment: str | None) -> tuple[int, int]:
    """How many pods and owners there were. Raises CannotStart, LauncherUnusable, LauncherAway, ApiRefused."""
    cluster = await connect()
    try:
        if deployment is not None:
            await _stop(cluster, *deployment.split("/", 1))
        return await _clear(cluster, settings, installation)
    finally:
        await cluster.close()


async def _stop(cluster: Cluster, namespace: str, name: str) -> None:
    """Scale the Deployment to nothing, and wait for its pods to go; there may be none of that name."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    try:
        labels = (await cluster.get(path))["spec"]["selector"]["matchLabels"]
        await cluster.patch(f"{path}/scale", {"spec": {"replicas": 0}})
    except ApiRefused as refusal:
        if refusal.status == 404:
            return
        raise
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    await _wait_gone(cluster, f"/api/v1/namespaces/{namespace}/pods", selector, PATIENCE)


async def _clear(cluster: Cluster, settings: Settings, installation: str) -> tuple[int, int]:
    base, mine = f"/api/v1/namespaces/{settings.namespace}", names.selector(installation)
    pods, _ = await cluster.list(f"{base}/pods", mine)
    for pod in pods:
        await _release(cluster, f"{base}/pods/{pod['metadata']['name']}", pod)
        await cluster.delete(f"{base}/pods/{pod['metadata']['name']}", grace=settings.grace)
    owners, _ = await cluster.list(f"{base}/configmaps", mine)
    for owner in owners:
        await cluster.delete(f"{base}/configmaps/{owner['metadata']['name']}")
    await _wait_gone(cluster, f"{base}/pods", mine, settings.grace + PATIENCE)
    return len(pods), len(owners)


async def _wait_gone(cluster: Cluster, path: str, selector: str, seconds: float) -> None:
    """Until there are no such pods. Raises CannotStart, LauncherAway, ApiRefused."""
    until = asyncio.get_running_loop().time() + seconds
    while left := (await cluster.list(path, selector))[0]:
        if asyncio.get_running_loop().time() > until:
            raise CannotStart(f"{len(left)} pods do not go, {left[0]['metadata']['name']} among them.")
        await asyncio.sleep(POLL)


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
