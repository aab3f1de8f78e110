"""The client of a registry against a real one: with a password, and with tokens that a token server gives."""

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.launchers.kubernetes.registry import Registry, RegistryAway, RegistryRefused
from tests.launchers.kubernetes.own_registry import PASSWORD, USER, OwnRegistry, own_registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def client_of(url: str, password: str | None) -> Registry:
    async def login() -> str | None:
        return None if password is None else f"{USER}:{password}"

    return Registry(url, "some/where", verify=True, login=login)


async def put(registry: OwnRegistry, headers: dict[str, str], tag: str) -> None:
    """An image of nothing."""
    async with httpx.AsyncClient(base_url=f"{registry.url}/v2/some/where", headers=headers) as client:
        config = b"{}"
        digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        begun = (await client.post("/blobs/uploads/")).raise_for_status()
        where = begun.headers["location"]
        sent = await client.put(
            where, params={**parse_qs(urlsplit(where).query), "digest": digest}, content=config
        )
        sent.raise_for_status()
        told = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": told, "layers": []}
        body = json.dumps(manifest).encode()
        answer = await client.put(f"/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST})
        answer.raise_for_status()


async def test_an_image_is_found_by_its_tag_and_removed(tmp_path: Path) -> None:
    async with own_registry(tmp_path) as registry:
        registered = client_of(registry.url, PASSWORD)
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        assert await registered.digest("1") is None
        await put(registry, {"Authorization": f"Basic {basic}"}, "1")
        digest = await registered.digest("1")
        assert digest is not None
        assert digest.startswith("sha256:")
        assert await registered.delete(digest)
        assert await registered.digest("1") is None
        await registered.close()
        for password, words in (("wrong", "401"), (None, "needs a login")):
            refused = client_of(registry.url, password)
            with pytest.raises(RegistryRefused, match=words):
                await refused.digest("1")
            await refused.close()
    away = client_of(registry.url, PASSWORD)
    with pytest.raises(RegistryAway):
        await away.digest("1")
    await away.close()


@dataclass(frozen=True, slots=True)
class TokenServer:
    """Gives who knows the password tokens for what they ask, signed as the registry trusts it."""

    url: str
    certificate: Path
    asked: list[str]


@pytest.fixture
def token_server(tmp_path: Path) -> Iterator[TokenServer]:
    key, certificate, asked = tmp_path / "key.pem", tmp_path / "certificate.pem", list[str]()
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = "".join(certificate.read_text().splitlines()[1:-1])

    def sign(claims: dict[str, object]) -> str:
        head = {"typ": "JWT", "alg": "RS256", "x5c": [text]}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", key],
            input=signed.encode(),
            check=True,
            capture_output=True,
        )
        return f"{signed}.{_encoded(done.stdout)}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            query = parse_qs(urlsplit(self.path).query)
            if given != f"{USER}:{PASSWORD}":
                self.send_response(401)
                self.end_headers()
                return
            asked.append(query["scope"][0])
            kind, name, actions = query["scope"][0].split(":")
            access = [{"type": kind, "name": name, "actions": actions.split(",")}]
            now = int(time.time())
            times = {"exp": now + 60, "nbf": now - 60, "iat": now}
            claims = {"iss": "here", "sub": USER, "aud": query["service"][0], "access": access, **times}
            body = json.dumps({"token": sign(claims)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield TokenServer(f"http://127.0.0.1:{server.server_port}/token", certificate, asked)
    server.shutdown()
    server.server_close()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_a_token_is_asked_for_where_the_registry_says(
    tmp_path: Path, token_server: TokenServer
) -> None:
    auth = (
        f"{{token: {{realm: '{token_server.url}', service: images, issuer: here, "
        f"rootcertbundle: {token_server.certificate}}}}}"
    )
    async with own_registry(tmp_path, auth) as registry:
        registered = client_of(registry.url, PASSWORD)
        for tag in ("1", "2"):
            assert await registered.digest(tag) is None
        assert token_server.asked == ["repository:some/where:pull"], "it is good for more than one call"
        await registered.delete("sha256:" + "0" * 64)
        assert token_server.asked[1:] == ["repository:some/where:pull,push,delete"]
        await registered.close()
        refused = client_of(registry.url, "wrong")
        with pytest.raises(RegistryRefused, match="401"):
            await refused.digest("1")
        await refused.close()
