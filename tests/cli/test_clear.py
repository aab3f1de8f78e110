"""`bunsen clear`: nothing of an installation is left on its cluster, and of another's nothing is touched."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.group import bunsen
from app.launchers.kubernetes import proof
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.cli.conftest import Bunsen
from tests.launchers.kubernetes.conftest import cluster, namespace, options, shared_folder
from tests.launchers.kubernetes.specs import run_of
from tests.launchers.kubernetes.test_launching import left

__all__ = ["cluster", "namespace", "options", "shared_folder"]


def test_it_wants_to_know_which_installation(command_line: Bunsen, tmp_path: Path) -> None:
    result = command_line("clear")
    assert result.exit_code == 1
    assert "which installation to clear: BUNSEN_INSTALLATION is not set" in result.stderr
    assert str(tmp_path / "data" / "installation") in result.stderr


def test_a_deployment_has_a_namespace(command_line: Bunsen) -> None:
    result = command_line("clear", "--deployment", "reconciler")
    assert result.exit_code == 2
    assert "it is NAMESPACE/NAME" in result.stderr


@pytest.mark.cluster
async def test_all_of_an_installation_goes_and_nothing_of_another(
    cluster: Cluster, namespace: str, options: KubernetesOptions
) -> None:
    """Pods that run, pods that are done, and what their owner objects own, though a finalizer holds them."""
    theirs = await launched(cluster, replace(options, installation="theirs"), "sleep 100")
    await launched(cluster, options, "sleep 100", "true")
    gone = ("--deployment", f"{namespace}/none")
    words = ("clear", "--namespace", namespace, "--grace", "1", *gone)
    result = await asyncio.to_thread(CliRunner().invoke, bunsen, words, env={"BUNSEN_INSTALLATION": "here"})
    assert result.exit_code == 0, result.output
    assert result.output == "Removed 2 pods of here, and what 2 experiments had besides.\n"
    async with asyncio.timeout(20):  # the garbage collector follows the owners
        while True:
            if await left(cluster, namespace) == theirs:
                break
            await asyncio.sleep(0.2)


async def launched(cluster: Cluster, options: KubernetesOptions, *commands: str) -> dict[str, list[str]]:
    """Launch these as an installation, whose service ends then; gives what there is in the namespace."""
    proof.remember(cluster, options)
    launcher = KubernetesLauncher(options)
    await launcher.start()
    try:
        for command in commands:
            await launcher.launch(run_of(command, token="secret"))
    finally:
        await launcher.close()
    return await left(cluster, options.namespace)
