"""Proves that pods reach the service and share its outputs, once for each setting that matters to it."""

import asyncio
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.helpers import Helpers
from app.launchers.kubernetes.options import KubernetesOptions

_FILE = "kubernetes-proof"


async def prove_once(helpers: Helpers, cluster: Cluster, options: KubernetesOptions) -> None:
    """Run the proof unless it was given for these settings and this cluster. Raises LauncherUnusable,
    LauncherAway."""
    if await asyncio.to_thread(_read, options.data / _FILE) == _key(cluster, options):
        return
    await helpers.prove()
    await asyncio.to_thread(remember, cluster, options)


def remember(cluster: Cluster, options: KubernetesOptions) -> None:
    """It is proven for these settings. Blocks. Raises OSError."""
    file = options.data / _FILE
    part = file.with_suffix(".part")
    part.write_text(_key(cluster, options))
    os.replace(part, file)  # noqa: PTH105


def _key(cluster: Cluster, options: KubernetesOptions) -> str:
    settings = (
        *(cluster.host, options.namespace, options.api_url, options.helper_image),
        *(asdict(options.outputs), options.uid, options.gid),
    )
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def _read(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None
