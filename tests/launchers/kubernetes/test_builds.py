"""Builds on the cluster: an image by its steps, found by its hash, pushed with a login that no step sees."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.lifecycle import Status
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.kubernetes import proof
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from tests.launchers.kubernetes.seeing import is_, lines_of, ran, runs, until
from tests.launchers.kubernetes.specs import build_of, builds_of, run_of


@pytest.fixture
async def builder(
    cluster: Cluster, namespace: str, shared_folder: Path
) -> AsyncIterator[KubernetesLauncher]:
    """A launcher that has a registry to itself."""
    options = builds_of(shared_folder, namespace)
    proof.remember(cluster, options)
    launcher = KubernetesLauncher(options)
    await launcher.start()
    yield launcher
    await launcher.close()


async def test_an_image_is_built_found_used_and_removed(builder: KubernetesLauncher) -> None:
    steps = (
        "echo \"$WORD $SECRET\"; echo bob:x:7:7::/:/bin/sh >>/etc/passwd; su bob -c 'id -un'; "
        "echo 1 >/made; chown bob /made; chmod 4711 /made",
        "printf '%s\n' \"two\nlines\" >&2; test -s /made; env | grep -c ^PIP_NO_CACHE_DIR=",
    )
    run = build_of(*steps, env_vars=(("WORD", 'a $b "c" \\ \'d\''),))
    assert run.build is not None
    assert await builder.find_environment(run.build.hash) is None
    seen = await ran(builder, run)
    log = await lines_of(builder, run.jobs[0].ref)
    assert (seen.status, seen.message) == (Status.SUCCEEDED, None), log
    assert log == [
        f"Step 1/2: {steps[0]}",
        'a $b "c" \\ \'d\' hidden',
        "bob",
        *f"Step 2/2: {steps[1]}".splitlines(),
        *("two", "lines", "1"),
    ]
    image = await builder.find_environment(run.build.hash)
    assert image is not None
    assert "@sha256:" in image
    use = run_of("ls -l /made | cut -d' ' -f1; pwd; env | grep -e ^SECRET -e ^PIP; true", environment=image)
    assert (await ran(builder, use)).status is Status.SUCCEEDED
    assert await lines_of(builder, use.jobs[0].ref) == ["-rws--x--x", "/code"]
    await builder.remove_environment(image)
    await builder.remove_environment(image)
    assert await builder.find_environment(run.build.hash) is None
