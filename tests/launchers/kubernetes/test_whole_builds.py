"""Builds with the whole service: from uploaded code to the job that runs in the image, built once for all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener
from app.launchers.kubernetes.client import Cluster
from app.launching import make_launcher
from app.reconciler.build import build
from app.reconciler.context import Context
from app.reconciler.prepare import prepare
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.storage.log_objects import LocalLogObjects
from tests.faults.kubernetes.kit import kit_here
from tests.launchers.kubernetes.own_registry import (
    HOST_ADDRESS,
    certificate_of,
    login_secret,
    own_registry,
)
from tests.launchers.kubernetes.seeing import LONGEST
from tests.launchers.kubernetes.specs import BUILDAH, BUSYBOX, REGISTRY, REGISTRY_URL
from tests.launchers.kubernetes.test_whole import make, on_pods, packed, pods_settings
from tests.people import Person

__all__ = ["pods_settings"]

CODE = {"requirements.txt": "nothing", "setup.sh": "#!/bin/sh\necho set up >/made", "train.sh": "cat /made"}
STEPS = ["./setup.sh; ls; id -u", "cat requirements.txt /made"]


def with_registry(settings: Settings, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "builder_image": BUILDAH,
        "registry": f"{REGISTRY}/{settings.namespace}",
        "registry_url": REGISTRY_URL,
        "insecure_registries": (REGISTRY,),
        "build_cpus": 0.05,
        "build_memory": 0,
    }
    return settings.model_copy(update=given | more)


async def test_an_experiment_waits_for_its_image_and_the_next_one_finds_it(
    pods_settings: Settings, ada: Person
) -> None:
    spec: dict[str, Any] = {"build": {"image": BUSYBOX, "build_steps": STEPS, "env_vars": {"WORD": "x"}}}
    async with on_pods(with_registry(pods_settings), ada.token) as (client, _):
        code = {"repo": ("code.tar.gz", packed(CODE))}
        (await client.put("/ada/pods/repo/upload", files=code)).raise_for_status()
        first = await make(client, "sh train.sh; echo $WORD", **spec)
        assert await first.done() == "succeeded", await first.said()
        words = ["created", "building", "scheduled", "starting", "running", "succeeded"]
        assert [status for status, _ in await first.said()] == words
        assert await first.log() == ["set up", "x"]
        (build,) = (await client.get("/ada/pods/builds")).json()["results"]
        path = f"/ada/pods/builds/{build['id']}"
        text = (await client.get(f"{path}/logs", params={"follow": "true"})).text
        assert text.splitlines() == [
            *("Step 1/2: ./setup.sh; ls; id -u", "requirements.txt", "setup.sh", "0"),
            *("Step 2/2: cat requirements.txt /made", "nothingset up"),
        ]
        history = (await client.get(f"{path}/statuses")).json()["results"]
        assert [row["status"] for row in history] == [
            *("created", "scheduled", "starting", "running", "succeeded")
        ]
        built = (await client.get(path)).json()
        assert "/builds@sha256:" in built["environment"]
        assert built["definition"]["kind"] == "Pod"
        (job,) = (await first.get("/jobs"))["results"]
        pod = (await first.get(f"/jobs/{job['id']}"))["definition"]
        assert pod["spec"]["containers"][0]["image"] == built["environment"]

        second = await make(client, "true", **spec)
        assert await second.done() == "succeeded", await second.said()
        assert "building" not in [status for status, _ in await second.said()]
        assert (await client.get("/ada/pods/builds")).json()["count"] == 1
        spec["build"]["build_steps"] = ["true", "echo before; exit 3"]
        third = await make(client, "true", **spec)
        assert await third.done() == "failed"
        message = str((await third.said())[-1][1])
        assert "step 2 of 2 (echo before; exit 3) failed with exit code 3\n" in message
        assert message.endswith("\nbefore")


@contextlib.asynccontextmanager
async def second_reconciler(
    settings: Settings, sessions: Sessions, engine: AsyncEngine
) -> AsyncIterator[None]:
    """One that prepares and builds beside the leader, as two do for a moment; begun after it has begun."""
    async with asyncio.timeout(LONGEST):
        while not (settings.data / "kubernetes-proof").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    listener = Listener(engine)
    await listener.start()
    code = CodeArchives(settings.data / "code")
    launcher = make_launcher(settings, code)
    await launcher.start()
    objects = LocalLogObjects(settings.data / "logs")
    ctx = Context(settings, sessions, listener, launcher, objects, code, lambda: "")

    async def reconcile() -> None:
        while True:
            await prepare(ctx)
            await build(ctx)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(reconcile())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        for running in (task, *ctx.actions.values()):
            running.cancel()
        await asyncio.gather(task, *ctx.actions.values(), return_exceptions=True)
        await launcher.close()
        await listener.close()


async def test_two_reconcilers_and_twenty_experiments_make_one_push(
    pods_settings: Settings,
    ada: Person,
    cluster: Cluster,
    tmp_path: Path,
    sessions: Sessions,
    engine: AsyncEngine,
) -> None:
    async with own_registry(tmp_path) as registry:
        namespace = pods_settings.namespace
        await cluster.create(f"/api/v1/namespaces/{namespace}/secrets", login_secret("login", registry))
        settings = with_registry(
            pods_settings,
            registry=registry.address,
            registry_url=registry.url,
            registry_secret="login",
            insecure_registries=(REGISTRY, registry.address),
        )
        nowhere = {"resources": {"cpu": {"requests": 1000}}}  # nodes don't know this registry
        spec: dict[str, Any] = {"build": {"image": BUSYBOX, "build_steps": ["true"]}, "environment": nowhere}
        async with (
            on_pods(settings, ada.token) as (client, there),
            second_reconciler(there, sessions, engine),
        ):
            made = [await make(client, "true", **spec) for _ in range(20)]
            for experiment in made:
                assert await experiment.done("scheduled", "failed") == "scheduled"
            builds = (await client.get("/ada/pods/builds")).json()["results"]
            assert [build["last_status"] for build in builds] == ["succeeded"]
            assert registry.pushes() == [builds[0]["hash"]]
            for experiment in made:
                await experiment.post("stop")


@contextlib.contextmanager
def node_trusts(certificate: Path) -> Iterator[None]:
    """Its runtime reads once whom it trusts, when it starts; and asks registries without TLS only here."""
    kit = kit_here()
    with kit.alone("cluster"):
        try:
            kit.kill("containerd-1")
            kit.up(SSL_CERT_FILE=str(certificate))
            yield
        finally:
            kit.kill("containerd-1")
            kit.up()


@pytest.mark.slow
async def test_an_image_is_pushed_and_pulled_with_one_login_by_one_name(
    pods_settings: Settings, ada: Person, cluster: Cluster, tmp_path: Path
) -> None:
    certificate = certificate_of(HOST_ADDRESS, tmp_path)
    with node_trusts(certificate):
        async with own_registry(tmp_path, certificate=certificate) as registry:
            address = f"{HOST_ADDRESS}:{registry.port}"
            secret = login_secret("login", registry, address=address)
            await cluster.create(f"/api/v1/namespaces/{pods_settings.namespace}/secrets", secret)
            settings = with_registry(
                pods_settings,
                registry=f"{address}/of/ours",
                registry_url=registry.url,
                registry_secret="login",
                insecure_registries=(REGISTRY, address),
            )
            spec: dict[str, Any] = {"build": {"image": BUSYBOX, "build_steps": ["echo built >/made"]}}
            async with on_pods(settings, ada.token) as (client, _):
                experiment = await make(client, "cat /made", **spec)
                assert await experiment.done() == "succeeded", await experiment.why()
                assert await experiment.log() == ["built"]
                (build,) = (await client.get("/ada/pods/builds")).json()["results"]
                made = (await client.get(f"/ada/pods/builds/{build['id']}")).json()
            name, _, digest = made["environment"].partition("@")
            assert name == f"{address}/of/ours/builds"
            assert registry.pushes() == [build["hash"]]
            assert registry.pulls() == [digest]


async def test_a_build_that_nobody_waits_for_any_more_is_stopped(
    pods_settings: Settings, ada: Person, cluster: Cluster
) -> None:
    spec: dict[str, Any] = {"build": {"image": BUSYBOX, "build_steps": ["sleep 1000"]}}
    async with on_pods(with_registry(pods_settings), ada.token) as (client, _):
        first, second = [await make(client, "true", **spec) for _ in range(2)]

        async def newest() -> dict[str, Any]:
            rows: list[dict[str, Any]] = (await client.get("/ada/pods/builds")).json()["results"]
            return rows[0] if rows else {"last_status": None}

        await _until(newest, "running")
        await first.post("stop")
        assert await first.done() == "stopped"
        assert (await newest())["last_status"] == "running", "the second waits for it"
        await second.post("stop")
        await _until(newest, "stopped")
        path = f"/api/v1/namespaces/{pods_settings.namespace}/pods"
        (pod,), _ = await cluster.list(path)
        assert pod["status"]["phase"] in {"Failed", "Succeeded"}


async def _until(newest: Any, status: str) -> None:
    async with asyncio.timeout(60):
        while (await newest())["last_status"] != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
