"""Builds on the cluster: an image by its steps, found by its hash, pushed with a login that no step sees."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.lifecycle import Status
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.kubernetes import proof
from app.launchers.kubernetes.builds import Builds
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.launchers.kubernetes.own_registry import login_secret, own_registry
from tests.launchers.kubernetes.seeing import lines_of, ran, runs, until
from tests.launchers.kubernetes.specs import build_of, builds_of, options_of, run_of

HASH = "ab" * 32
RESTRICT = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}


@contextlib.asynccontextmanager
async def launching(cluster: Cluster, options: KubernetesOptions) -> AsyncIterator[KubernetesLauncher]:
    proof.remember(cluster, options)
    launcher = KubernetesLauncher(options)
    await launcher.start()
    try:
        yield launcher
    finally:
        await launcher.close()


@pytest.fixture
async def builder(cluster: Cluster, namespace: str, shared_folder: Path) -> AsyncIterator[KubernetesLauncher]:
    """A launcher with a repository to itself, in a namespace that takes no pod with uncommon rights."""
    await cluster.patch(f"/api/v1/namespaces/{namespace}", RESTRICT)
    async with launching(cluster, builds_of(shared_folder, namespace)) as launcher:
        yield launcher


async def test_an_image_is_built_found_used_and_removed(builder: KubernetesLauncher) -> None:
    steps = (
        "echo \"$WORD $SECRET\"; echo bob:x:7:7::/:/bin/sh >>/etc/passwd; su bob -c 'id -un'; "
        "echo 1 >/made; chown bob /made; chmod 4711 /made",
        "printf '%s\n' \"two\nlines\" >&2; test -s /made; env | grep -c ^PIP_NO_CACHE_DIR=",
    )
    run = build_of(*steps, env_vars=(("WORD", "a $b \"c\" \\ 'd'"),))
    assert run.build is not None
    assert await builder.find_environment(run.build.hash) is None
    seen = await ran(builder, run)
    log = await lines_of(builder, run.jobs[0].ref)
    assert (seen.status, seen.message) == (Status.SUCCEEDED, None), log
    assert log == [
        f"Step 1/2: {steps[0]}",
        "a $b \"c\" \\ 'd' hidden",
        "bob",
        *f"Step 2/2: {steps[1]}".splitlines(),
        *("two", "lines", "1"),
    ]
    image = await builder.find_environment(run.build.hash)
    assert image is not None
    assert "@sha256:" in image
    cmd = "ls -l /made | cut -d' ' -f1; pwd; echo $WORD; env | grep -e ^SECRET -e ^PIP; true"
    use = run_of(cmd, environment=image, outputs=None)
    assert (await ran(builder, use)).status is Status.SUCCEEDED
    assert await lines_of(builder, use.jobs[0].ref) == ["-rws--x--x", "/code", "a $b \"c\" \\ 'd'"]
    await builder.remove_environment(image)
    await builder.remove_environment(image)
    assert await builder.find_environment(run.build.hash) is None


async def test_a_failed_step_is_named_and_a_stopped_build_is_stopped(builder: KubernetesLauncher) -> None:
    fails = build_of("echo fine", "echo before; (exit 3)", "echo never")
    stopped = build_of("echo up; sleep 1000")
    missing = build_of("true", image="registry.bunsen.test:5000/none:1")
    for run in (fails, stopped, missing):
        await builder.launch(run)
    ref = stopped.jobs[0].ref
    await until(builder, ref, runs)
    await builder.stop(ref, 5.0)
    seen = await until(builder, fails.jobs[0].ref)
    assert (seen.status, seen.exit_code) == (Status.FAILED, 3)
    assert seen.message == "step 2 of 3 (echo before; (exit 3)) failed with exit code 3"
    assert (await builder.last_lines(seen.ref, 10))[-1] == "before"
    assert (await until(builder, ref)).status is Status.STOPPED
    seen = await until(builder, missing.jobs[0].ref)
    assert seen.status is Status.FAILED
    assert str(seen.message).startswith("its image registry.bunsen.test:5000/none:1 can't be pulled: ")


async def test_the_registrys_login_is_a_secret_and_a_refusal_says_so(
    cluster: Cluster, namespace: str, shared_folder: Path, tmp_path: Path
) -> None:
    async with own_registry(tmp_path) as registry:
        secrets = f"/api/v1/namespaces/{namespace}/secrets"
        await cluster.create(secrets, login_secret("good", registry))
        await cluster.create(secrets, login_secret("bad", registry, "wrong"))
        own = {
            "registry": f"{registry.address}/of/ours",
            "registry_url": registry.url,
            "insecure_registries": ("registry.bunsen.test:5000", registry.address),
        }
        good = builds_of(shared_folder, namespace, **own, registry_secret="good")
        steps = ("cat /bunsen/registries/* /proc/1/environ 2>/dev/null | grep -c sesame; true",)
        run = build_of(*steps)
        async with launching(cluster, good) as launcher:
            assert await launcher.find_environment(HASH) is None
            assert (await ran(launcher, run)).status is Status.SUCCEEDED
            assert run.build is not None
            image = await launcher.find_environment(run.build.hash)
            assert str(image).startswith(f"{registry.address}/of/ours/builds@sha256:")
            assert registry.pushes() == [run.build.hash]
            assert await lines_of(launcher, run.jobs[0].ref) == [f"Step 1/1: {steps[0]}", "0"]
        bad = builds_of(shared_folder, namespace, **own, registry_secret="bad")
        async with launching(cluster, bad) as launcher:
            with pytest.raises(LaunchRefused, match="refuses the service: 401"):
                await launcher.find_environment(HASH)
            seen = await ran(launcher, build_of("true"))
            assert "its image could not be pushed to" in str(seen.message)
            assert "unauthorized" in str(seen.message)
        for name, words in ((None, "it needs a login"), ("none", "there is no Secret 'none'")):
            other = builds_of(shared_folder, namespace, **own, registry_secret=name)
            builds = Builds(cluster, other)
            with pytest.raises(LaunchRefused, match=words):
                await builds.find(HASH)
            await builds.close()


async def test_without_a_registry_it_names_the_setting_and_one_that_is_away_is_waited_for(
    cluster: Cluster, tmp_path: Path
) -> None:
    none = Builds(cluster, options_of(tmp_path))
    with pytest.raises(LaunchRefused, match="BUNSEN_REGISTRY names one"):
        await none.find(HASH)
    away = Builds(cluster, builds_of(tmp_path, "x", registry_url="http://127.0.0.1:5999", pull_grace=60.0))
    with pytest.raises(LaunchDelayed, match="waits for the registry of"):
        await away.find(HASH)
    await away.close()
    gone = Builds(cluster, builds_of(tmp_path, "x", registry_url="http://127.0.0.1:5999", pull_grace=0.0))
    with pytest.raises(LaunchRefused, match="could not be reached for 0 s"):
        await gone.find(HASH)
    await gone.close()
