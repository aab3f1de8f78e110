"""A registry of the test's own, with a login and a log of what is asked of it."""

import asyncio
import base64
import contextlib
import json
import secrets
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.launchers.kubernetes.conftest import no_cluster
from tests.launchers.kubernetes.repository import Repository

HOST = "host.bunsen.test"  # this machine, as pods see it
USER, PASSWORD = "robot", "sesame"
_BCRYPT = "$2b$04$F2i4Med0usg6n7kY1F1aOurmnryd99gjJ8WYUdKHCjRHt.33xELpy"  # PASSWORD, as htpasswd has it
_CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "0.0.0.0:{port}"}}
auth: {auth}
"""


@dataclass(frozen=True, slots=True)
class OwnRegistry:
    """`address` is how pods reach it, `url` how this process does."""

    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pushes(self) -> list[str]:
        """What was pushed, by its tag or digest, as the registry's log says."""
        lines = [line for line in (self.folder / "log").read_text().splitlines() if '"PUT /v2/' in line]
        return [
            line.split('"PUT ')[1].split(" ")[0].rpartition("/")[2] for line in lines if "/manifests/" in line
        ]


@contextlib.asynccontextmanager
async def own_registry(folder: Path, auth: str | None = None) -> AsyncIterator[OwnRegistry]:
    """Serve until the context ends. `auth`: another way to log in, as the registry's configuration has it."""
    if shutil.which("docker-registry") is None:
        no_cluster("no docker-registry is in PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
    config = folder / "config.yaml"
    auth = auth or f"{{htpasswd: {{realm: here, path: {folder}/htpasswd}}}}"
    config.write_text(_CONFIG.format(folder=folder, port=port, auth=auth))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "docker-registry", "serve", str(config), stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield OwnRegistry(port, folder)
    finally:
        process.terminate()
        await process.wait()


def put_busybox(registry: OwnRegistry, source: str) -> str:
    """A busybox that no other image equals, taken from the registry at that URL; gives its digest. Blocks."""
    theirs = Repository(source, "busybox")
    ours = Repository(registry.url, "busybox", (USER, PASSWORD))
    manifest = theirs.manifest("1")
    for layer in manifest["layers"]:
        ours.put_blob(theirs.blob(layer["digest"]))
    return ours.put_image(manifest, theirs.config(manifest) | {"comment": secrets.token_hex(8)})


def login_secret(
    name: str, registry: OwnRegistry, password: str = PASSWORD, *, address: str | None = None
) -> dict[str, Any]:
    """As `kubectl create secret docker-registry` makes it; `address`: another name of the registry."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    text = json.dumps({"auths": {address or registry.address: {"auth": auth}}})
    return {
        "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()},
    }
