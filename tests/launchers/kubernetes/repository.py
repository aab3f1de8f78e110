"""A repository of a registry, by plain calls: images are read, changed and put without a tool for them."""

import hashlib
import json
from typing import Any

import httpx

Json = dict[str, Any]

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Repository:
    """`url` is the registry's, `auth` a user and a password."""

    def __init__(self, url: str, name: str, auth: tuple[str, str] | None = None) -> None:
        self._base = f"{url}/v2/{name}"
        self._client = httpx.Client(auth=auth, timeout=60)

    def has(self, tag: str) -> bool:
        return self._get(f"manifests/{tag}").status_code == 200

    def manifest(self, tag: str) -> Json:
        return dict(self._get(f"manifests/{tag}").raise_for_status().json())

    def config(self, manifest: Json) -> Json:
        return dict(json.loads(self.blob(manifest["config"]["digest"])))

    def blob(self, digest: str) -> bytes:
        return self._get(f"blobs/{digest}").raise_for_status().content

    def put_blob(self, data: bytes) -> Json:
        """Gives its digest and size, as manifests name it."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        begun = self._client.post(f"{self._base}/blobs/uploads/").raise_for_status()
        place = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        self._client.put(place, content=data).raise_for_status()
        return {"digest": digest, "size": len(data)}

    def put_image(self, manifest: Json, config: Json, tag: str | None = None) -> str:
        """An image whose layers are there, under a tag or its digest alone; gives the digest."""
        kind = manifest["config"]["mediaType"]
        described = {**self.put_blob(json.dumps(config).encode()), "mediaType": kind}
        body = json.dumps(manifest | {"config": described}).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        place = f"{self._base}/manifests/{tag or digest}"
        self._client.put(place, content=body, headers={"Content-Type": _MANIFEST}).raise_for_status()
        return digest

    def _get(self, path: str) -> httpx.Response:
        return self._client.get(f"{self._base}/{path}", headers={"Accept": _MANIFEST}, follow_redirects=True)
