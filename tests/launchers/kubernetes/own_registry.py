"""A registry of the test's own, with a login and a log of what is asked of it."""

import asyncio
import base64
import contextlib
import json
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.launchers.kubernetes.conftest import no_cluster
from tests.launchers.kubernetes.repository import Repository

HOST = "host.bunsen.test"  # this machine, as pods see it
HOST_ADDRESS = "10.244.0.1"  # the same, as its node sees it, too
USER, PASSWORD = "robot", "sesame"
_BCRYPT = "$2b$04$F2i4Med0usg6n7kY1F1aOurmnryd99gjJ8WYUdKHCjRHt.33xELpy"  # PASSWORD, as htpasswd has it
_CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "0.0.0.0:{port}", tls: {tls}}}
auth: {auth}
"""


@dataclass(frozen=True, slots=True)
class OwnRegistry:
    """`address` is how pods reach it, `url` how this process does."""

    port: int
    folder: Path
    certificate: Path | None = None  # where it speaks TLS

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def pushes(self) -> list[str]:
        """What was pushed, by its tag or digest, as the registry's log says."""
        return self._manifests("PUT", "")

    def pulls(self) -> list[str]:
        """What nodes pulled, by its tag or digest."""
        return self._manifests("GET", "containerd/")

    def _manifests(self, verb: str, agent: str) -> list[str]:
        asked = re.compile(rf'"{verb} /v2/\S+/manifests/(\S+) \S+" 20\d .*{agent}')
        return asked.findall((self.folder / "log").read_text())


@contextlib.asynccontextmanager
async def own_registry(
    folder: Path, auth: str | None = None, *, certificate: Path | None = None
) -> AsyncIterator[OwnRegistry]:
    """Serve until the context ends. `auth`: another way to log in, as the registry's configuration has it;
    `certificate`: one with its key in the same file, for TLS."""
    if shutil.which("docker-registry") is None:
        no_cluster("no docker-registry is in PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
    config = folder / "config.yaml"
    auth = auth or f"{{htpasswd: {{realm: here, path: {folder}/htpasswd}}}}"
    tls = f"{{certificate: {certificate}, key: {certificate}}}" if certificate else "{}"
    config.write_text(_CONFIG.format(folder=folder, port=port, auth=auth, tls=tls))
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
        yield OwnRegistry(port, folder, certificate)
    finally:
        process.terminate()
        await process.wait()


def certificate_of(address: str, folder: Path) -> Path:
    """A certificate of its own for an address, with its key. Blocks."""
    path = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    command += ["-addext", f"subjectAltName=IP:{address}", "-keyout", str(path), "-out", f"{path}.part"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.part").read_text())
    return path


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
