"""The service's own image, built from the Dockerfile in a pod with Buildah, wheels in its context; and the
image of a next release, whose schema has one migration more."""

import fcntl
import gzip
import hashlib
import io
import secrets
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.kubernetes.kube import Namespace, until
from tests.launchers.kubernetes.conftest import SHARED
from tests.launchers.kubernetes.repository import Json, Repository
from tests.launchers.kubernetes.specs import BUILDAH, PYTHON, REGISTRY, REGISTRY_URL

ROOT = Path(__file__).parents[2]
NAME = "bunsen-test-service"
_SERVICE = Repository(REGISTRY_URL, NAME)
_PARTS = (
    "Dockerfile",
    "deploy/requirements",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "alembic",
    "examples",
    "app",
)
NEXT = "9999"  # the next release's schema
_MIGRATION = f'''\
"""A table of the next release; this one runs beside it."""

from alembic import op

revision: str = "{NEXT}"
down_revision: str | None = "{{last}}"


def upgrade() -> None:
    op.execute("CREATE TABLE of_the_next_release (id bigint PRIMARY KEY)")
    op.execute("INSERT INTO schema_support (revision, oldest) VALUES ('{NEXT}', '{{last}}')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_support WHERE revision = '{NEXT}'")
    op.execute("DROP TABLE of_the_next_release")
'''
_VERSIONS = "opt/bunsen/lib/python3.11/site-packages/app/_alembic/versions"
# What is not compressed is pushed sooner.
_BUILD = """\
set -e
store="--storage-driver overlay --root /var/lib/containers/storage --runroot /var/lib/containers/run"
buildah $store bud -q --isolation chroot --format docker --build-arg PYTHON_IMAGE="$BASE" -t "$IMAGE" /context
buildah $store push -q -D "$IMAGE"
"""
_CAPABILITIES = ["SETFCAP", "SETGID", "SETUID"]  # what Buildah needs to make a user namespace
_LONGEST = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class ServiceImages:
    """The tags of one build: this release's, and the next one's."""

    tag: str

    @property
    def repository(self) -> str:
        return f"{REGISTRY}/{NAME}"

    @property
    def next_tag(self) -> str:
        return f"{self.tag}-next"


def service_images(namespace: Namespace) -> ServiceImages:
    """Both images, in the registry; built in that namespace unless they are there from before."""
    images = ServiceImages(_hash())
    SHARED.mkdir(parents=True, exist_ok=True)
    with (SHARED / "service-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _SERVICE.has(images.tag):
            context = SHARED / f"service-{secrets.token_hex(5)}"
            try:
                _write_context(context)
                _build(namespace, context, images)
            finally:
                shutil.rmtree(context, ignore_errors=True)
        if not _SERVICE.has(images.next_tag):
            _put_next(images)
    return images


def image_config(tag: str) -> tuple[Json, int]:
    """What the registry says of an image: its configuration, and the bytes of its layers."""
    manifest = _SERVICE.manifest(tag)
    return _SERVICE.config(manifest), sum(layer["size"] for layer in manifest["layers"])


def _put_next(images: ServiceImages) -> None:
    """This release's image and one layer more: a file with the next one's migration."""
    last = max(path.name for path in (ROOT / "alembic" / "versions").glob("0*.py"))[:4]
    text = _MIGRATION.format(last=last).encode()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo(f"{_VERSIONS}/{NEXT}_next.py")
        entry.size, entry.mode = len(text), 0o644
        archive.addfile(entry, io.BytesIO(text))
    manifest = _SERVICE.manifest(images.tag)
    config = _SERVICE.config(manifest)
    packed = _SERVICE.put_blob(gzip.compress(layer.getvalue()))
    kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    manifest["layers"].append({**packed, "mediaType": kind})
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}")
    config["history"].append({"created_by": "the next release"})
    _SERVICE.put_image(manifest, config, images.next_tag)


def _sources() -> list[Path]:
    """The files that the image is made of, as the Dockerfile names them."""
    listed = [*(ROOT / part for part in _PARTS if (ROOT / part).is_file())]
    for part in _PARTS:
        listed += [
            path for path in (ROOT / part).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
    return sorted(path for path in listed if "wheels" not in path.parts)


def _hash() -> str:
    digest = hashlib.sha256((_MIGRATION + _BUILD).encode())
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _write_context(context: Path) -> None:
    for path in _sources():
        target = context / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    python = getattr(sys, "_base_executable", sys.executable)
    wheels = ("-d", str(context / "deploy" / "requirements" / "wheels"))
    words = ("-q", "--no-deps", "--only-binary=:all:", "--require-hashes", "--python-version=3.11")
    platforms = [f"--platform=manylinux{name}_x86_64" for name in ("2014", "_2_28")]
    files = ("-r", "deploy/requirements/uv.txt", "-r", "deploy/requirements/service.txt")
    download = [python, "-m", "pip", "download", *words, *platforms, *files, *wheels]
    subprocess.run(download, check=True, capture_output=True, text=True, cwd=ROOT)


def _build(namespace: Namespace, context: Path, images: ServiceImages) -> None:
    variables = {"IMAGE": f"{images.repository}:{images.tag}", "BASE": PYTHON}
    container: dict[str, Any] = {
        "name": "main",
        "image": BUILDAH,
        "command": ["/bin/sh", "-c", _BUILD],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [
            {"name": "context", "mountPath": "/context"},
            {"name": "store", "mountPath": "/var/lib/containers"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": _CAPABILITIES},
        },
        "resources": {"requests": {"cpu": "500m"}},
    }
    volumes = [{"name": "context", "hostPath": {"path": str(context)}}, {"name": "store", "emptyDir": {}}]
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    namespace.create("pods", {"metadata": {"name": "image"}, "spec": spec})

    def phase() -> str:
        return str(namespace.api.get(namespace.url("pods/image")).json()["status"]["phase"])

    until(lambda: phase() in {"Succeeded", "Failed"}, _LONGEST)
    if phase() == "Failed":
        pytest.fail(
            "the image could not be built: " + namespace.api.get(namespace.url("pods/image/log")).text
        )
    namespace.delete("pods/image", grace=0)
