"""An image with TensorBoard, made once, in a pod with Buildah: clusters for tests have none by themselves."""

import asyncio
import fcntl
import secrets
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from app.launchers.kubernetes import diagnose
from app.launchers.kubernetes.client import Cluster, connect
from tests.launchers.kubernetes.specs import BUILDAH, PYTHON, REGISTRY

TENSORBOARD = f"{REGISTRY}/bunsen-test-tensorboard:{version('tensorboard')}"
_DOCKERFILE = f"FROM {PYTHON}\nCOPY packages /usr/local/lib/python3.11/dist-packages\n"
# Not compressed, which takes longest.
_BUILD = "cd /context && buildah bud -q --isolation chroot -t $IMAGE . && buildah push -q -D $IMAGE"
_LONGEST = 250.0  # seconds


def tensorboard_image(shared: Path) -> str:
    """The image's name, once the node has it or can pull it. `shared` is a folder that pods can mount."""
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "image.lock").open("w") as lock, ThreadPoolExecutor(1) as thread:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers one makes it
        thread.submit(asyncio.run, _make(shared / f"image-{secrets.token_hex(5)}")).result()
    return TENSORBOARD


async def _make(context: Path) -> None:
    cluster = await connect()
    try:
        nodes, _ = await cluster.list("/api/v1/nodes")
        found = [image for node in nodes for image in node["status"].get("images", ())]  # a new node has none
        images = [name for image in found for name in image["names"]]
        if TENSORBOARD not in images:
            _write_context(context)
            await _build(cluster, context)
    finally:
        await cluster.close()
        shutil.rmtree(context, ignore_errors=True)


def _write_context(context: Path) -> None:
    """The wheels of the versions that the service has, unpacked for the image's Python."""
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE)
    python = getattr(sys, "_base_executable", sys.executable)
    platforms = [f"--platform=manylinux{name}_x86_64" for name in ("2014", "_2_27", "_2_28")]
    pinned = [f"{name}=={version(name)}" for name in ("tensorboard", "setuptools", "protobuf")]
    words = ("--quiet", "--no-compile", "--only-binary=:all:", "--python-version=3.11", *platforms)
    install = [python, "-m", "pip", "install", *words, f"--target={context / 'packages'}", *pinned]
    subprocess.run(install, check=True, capture_output=True, text=True)


async def _build(cluster: Cluster, context: Path) -> None:
    name = f"image-{secrets.token_hex(5)}"
    container: dict[str, Any] = {
        "name": "main",
        "image": BUILDAH,
        "command": ["/bin/sh", "-c", _BUILD],
        "env": [{"name": "IMAGE", "value": TENSORBOARD}],
        "volumeMounts": [{"name": "context", "mountPath": "/context"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    volume = {"name": "context", "hostPath": {"path": str(context)}}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": [volume]}
    pods = "/api/v1/namespaces/default/pods"
    await cluster.create(pods, {"metadata": {"name": name}, "spec": spec})
    try:
        async with asyncio.timeout(_LONGEST):
            while (end := diagnose.terminated(await cluster.get(f"{pods}/{name}"))) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    finally:
        await cluster.delete(f"{pods}/{name}", grace=0)
    if end["exitCode"] != 0:
        pytest.fail(f"no image with TensorBoard could be made: {end}")
