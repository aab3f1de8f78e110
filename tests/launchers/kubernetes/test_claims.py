"""Outputs and data on claims: the service sees what pods write, and pods see their own folder alone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.lifecycle import Status
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from app.volumes import Volume
from tests.launchers.kubernetes.seeing import lines_of, ran
from tests.launchers.kubernetes.specs import run_of


@pytest.fixture
async def options(
    options: KubernetesOptions, cluster: Cluster, namespace: str, shared_folder: Path
) -> AsyncIterator[KubernetesOptions]:
    """Its outputs and data are one claim, whose volume is a folder that the service sees."""
    size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
    claim = {"namespace": namespace, "name": "outputs"}
    volume = {
        "metadata": {"name": namespace},
        "spec": {
            **{"capacity": size, "accessModes": modes, "storageClassName": "", "claimRef": claim},
            "hostPath": {"path": f"{shared_folder}/outputs"},
        },
    }
    asks = {"accessModes": modes, "storageClassName": "", "resources": {"requests": size}}
    await cluster.create("/api/v1/persistentvolumes", volume)
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    await cluster.create(path, {"metadata": {"name": "outputs"}, "spec": asks})
    place = f"{shared_folder}/outputs"
    yield replace(
        options,
        outputs=Volume("pvc", "outputs", place),
        data_volumes={"mnist": Volume("pvc", "outputs", place)},
    )
    await cluster.delete(f"/api/v1/persistentvolumes/{namespace}")


async def test_what_a_job_writes_on_a_claim_is_the_services_too(
    launcher: KubernetesLauncher, options: KubernetesOptions
) -> None:
    first = run_of("echo trained >$POLYAXON_RUN_OUTPUTS_PATH/model")
    assert (await ran(launcher, first)).status is Status.SUCCEEDED
    folder = Path(str(options.outputs.path)) / str(first.outputs)
    assert (folder / "model").read_text() == "trained\n"

    reads = f"cat {folder}/model; touch {folder}/no 2>&1; ls {options.outputs.path} | wc -l; ls /data/mnist"
    second = run_of(reads + "; true", reads=(str(first.outputs),), data_volumes=("mnist",))
    assert (await ran(launcher, second)).status is Status.SUCCEEDED
    found = await lines_of(launcher, second.jobs[0].ref)
    assert (found[0], found[2]) == ("trained", "2")
    assert "Read-only file system" in found[1]
    assert set(found[3:]) == {str(first.outputs), str(second.outputs)}

    await launcher.clear_outputs(str(first.outputs), None)
    assert list(folder.iterdir()) == []
