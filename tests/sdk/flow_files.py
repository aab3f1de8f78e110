"""Code up and outputs down through the client that openapi-python-client makes."""

import io
import tarfile
from pathlib import Path

from bunsen_client import AuthenticatedClient
from bunsen_client.api.outputs import download_outputs
from bunsen_client.types import File


def archive(folder: Path) -> File:
    """A folder as the tar.gz that an upload is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, arcname=".")
    packed.seek(0)
    return File(payload=packed, file_name="code.tar.gz", mime_type="application/gzip")


def download(client: AuthenticatedClient, user: str, project: str, id: int, target: Path) -> None:
    """All outputs, piece by piece into a file."""
    call = download_outputs._get_kwargs(user, project, id)
    with client.get_httpx_client().stream(**call) as answer, target.open("wb") as file:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            file.write(piece)
