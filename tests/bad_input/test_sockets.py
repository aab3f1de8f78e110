"""Bad input that only a real connection shows: bodies that are too long, streams whose token dies."""

import asyncio
import base64
import contextlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable

import pytest

from app.db.engine import transaction
from app.services.tokens import list_tokens, revoke_token
from tests.bad_input.conftest import Lab
from tests.live import Live

MIB = 1024**2


class Connection:
    """One raw connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, live: Live) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", live.port))

    async def head(self, line: str, *headers: str) -> None:
        self._writer.write("\r\n".join([f"{line} HTTP/1.1", "Host: bunsen.test", *headers, "", ""]).encode())
        await self._writer.drain()

    async def send(self, data: bytes) -> bool:
        """Whether the service still took it."""
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), 10)
        except (ConnectionError, TimeoutError):
            return False
        return True

    @property
    def answered(self) -> bool:
        return bool(self._reader._buffer)  # type: ignore[attr-defined]

    async def status(self) -> int:
        line = await asyncio.wait_for(self._reader.readline(), 20)
        return int(line.split()[1])

    async def until(self, text: bytes) -> None:
        await asyncio.wait_for(self._reader.readuntil(text), 20)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), 20)

    async def close(self) -> None:
        self._writer.close()


def length(size: int) -> str:
    return f"Content-Length: {size}"


def authorization(lab: Lab) -> str:
    return f"Authorization: token {lab.owner.token}"


@pytest.mark.parametrize("path", ["projects", "ada/lab/experiments", "ada/lab/experiments/{id}/metrics"])
async def test_a_body_of_50_mb_is_413_before_a_byte_of_it_is_sent(live: Live, lab: Lab, path: str) -> None:
    connection = await Connection.open(live)
    line = f"POST /api/v1/{path.format(id=lab.id)}"
    await connection.head(line, authorization(lab), "Content-Type: application/json", length(50 * MIB))
    assert await connection.status() == 413
    await connection.close()


async def test_a_body_of_50_mb_without_a_length_is_413_before_it_is_read_whole(live: Live, lab: Lab) -> None:
    connection = await Connection.open(live)
    chunked = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    await connection.head("POST /api/v1/projects", authorization(lab), *chunked)
    sent = 0
    while sent < 50 * MIB and not connection.answered:
        if not await connection.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n"):
            break
        sent += 0x10000
        await asyncio.sleep(0)
    assert await connection.status() == 413
    assert sent < 50 * MIB
    await connection.close()


async def test_a_connection_that_breaks_amid_a_body_leaves_nothing(live: Live, lab: Lab) -> None:
    before = await lab.state()
    for path in ("projects", "ada/lab/experiments", f"ada/lab/experiments/{lab.id}/metrics"):
        connection = await Connection.open(live)
        headers = (authorization(lab), "Content-Type: application/json", length(1000))
        await connection.head(f"POST /api/v1/{path}", *headers)
        await connection.send(b'{"name": "half"')
        await connection.close()
    async with live.client() as client:
        assert (await client.get("/versions/cli")).status_code == 200
    assert await lab.state() == before


@pytest.mark.parametrize("path", ["logs", "resources", "jobs/1/logs"])
@pytest.mark.parametrize("header", [None, "Authorization: token nobodys", "Authorization: Basic YTpi"])
async def test_a_websocket_without_a_token_is_401_at_the_handshake(
    live: Live, lab: Lab, path: str, header: str | None
) -> None:
    connection = await Connection.open(live)
    key = base64.b64encode(b"0123456789abcdef").decode()
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    given = [header] if header else []
    line = f"GET /ws/v1/ada/lab/experiments/{lab.id}/{path}"
    await connection.head(line, *upgrade, f"Sec-WebSocket-Key: {key}", *given)
    assert await connection.status() == 401
    await connection.close()


@pytest.mark.parametrize("form", ["text", "ndjson", "sse"])
async def test_a_token_revoked_during_a_stream_breaks_it(live: Live, lab: Lab, form: str) -> None:
    """It ends without the last chunk of its transfer, so that whoever reads it knows."""
    connection = await Connection.open(live)
    line = f"GET /api/v1/ada/lab/experiments/{lab.id}/logs?follow=true&format={form}"
    await connection.head(line, authorization(lab))
    assert await connection.status() == 200
    await connection.until(b"\r\n\r\n")
    posted = await lab.owner.http.post(f"{lab.path}/logs", json="a line")
    assert posted.status_code == 201
    await connection.until(b"a line")
    await revoke(live, lab)
    rest = await connection.rest()
    assert not rest.endswith(b"0\r\n\r\n")
    assert b'"end"' not in rest
    async with live.client(lab.owner.token) as client:
        assert (await client.get(lab.path)).status_code == 401
    await connection.close()


async def revoke(live: Live, lab: Lab) -> None:
    """As `bunsen token revoke` does."""
    async with transaction(live.service.sessions) as session:
        for token in await list_tokens(session, lab.owner.username):
            await revoke_token(session, token.id)


def packed(add: Callable[[tarfile.TarFile], None]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        add(archive)
    return target.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return packed(lambda archive: archive.addfile(made))


def link_and_file_through_it() -> bytes:
    def add(archive: tarfile.TarFile) -> None:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("out/written"))

    return packed(add)


def bomb(size: int) -> bytes:
    """An archive of one file of zeros, packed to a thousandth."""
    head = tarfile.TarInfo("zeros")
    head.size = size
    zip_head = zlib.compressobj(1, wbits=31)
    zip_part = zlib.compressobj(9, wbits=31)
    part = zip_part.compress(bytes(64 * MIB)) + zip_part.flush()
    return zip_head.compress(head.tobuf()) + zip_head.flush() + part * (size // (64 * MIB))


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "above": lambda: entry("../above"),
    "far above": lambda: entry("a/../../above"),
    "/etc/absolute": lambda: entry("/etc/absolute"),
    "absolute link": lambda: entry("absolute link", tarfile.SYMTYPE, "/etc/passwd"),
    "link out": lambda: entry("link out", tarfile.SYMTYPE, "../../outside"),
    "hard link": lambda: entry("hard link", tarfile.LNKTYPE, "/etc/passwd"),
    "out": link_and_file_through_it,
    "block device": lambda: entry("block device", tarfile.BLKTYPE),
    "character device": lambda: entry("character device", tarfile.CHRTYPE),
    "pipe": lambda: entry("pipe", tarfile.FIFOTYPE),
    "unpacks to more than": lambda: bomb(10 * 1024 * MIB),
}


@pytest.mark.parametrize("name", ARCHIVES)
async def test_an_archive_that_must_not_be_unpacked_is_refused_with_what_is_wrong(
    live: Live, lab: Lab, name: str
) -> None:
    async with live.client(lab.owner.token) as client:
        good = await client.put("/ada/lab/repo/upload", files={"repo": ("a.tar.gz", entry("kept.py"))})
        assert good.status_code == 200
        answer = await client.put("/ada/lab/repo/upload", files={"repo": ("b.tar.gz", ARCHIVES[name]())})
        assert answer.status_code in {400, 413}, answer.text
        assert name.removeprefix("far ") in answer.text
        assert (await client.get("/ada/lab/repo")).json() == good.json()


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"\x1f\x8b", entry("cut off")[:20], b"{}"],
    ids=["empty", "text", "a head alone", "cut off", "JSON"],  # the archive's own bytes name a second
)
async def test_what_is_no_archive_is_refused(live: Live, lab: Lab, content: bytes) -> None:
    async with live.client(lab.owner.token) as client:
        answer = await client.put("/ada/lab/repo/upload", files={"repo": ("a.tar.gz", content)})
        assert answer.status_code == 400, answer.text
        assert (await client.get("/ada/lab/repo")).status_code == 404


async def test_headers_without_an_end_are_refused_and_cost_nothing_more(live: Live) -> None:
    connection = await Connection.open(live)
    taken = await connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nEndless: ")
    pieces = 0
    while taken and not connection.answered and pieces < 64:
        taken = await connection.send(b"a" * MIB)
        pieces += 1
    assert pieces < 64
    with contextlib.suppress(ConnectionError):  # what was on its way made the end a reset
        assert await connection.status() == 431
    await connection.close()


async def test_long_headers_that_end_are_taken(live: Live) -> None:
    connection = await Connection.open(live)
    await connection.head("GET /healthz", *(f"X-{number}: {'a' * 1000}" for number in range(60)))
    assert await connection.status() == 200
    await connection.close()


async def test_what_is_no_http_is_refused_as_a_problem(live: Live) -> None:
    for sent in (
        b"\x16\x03\x01",
        b"GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"FOO / HTTP/1.1\r\n\r\n",
    ):
        connection = await Connection.open(live)
        await connection.send(sent)
        head, _, body = (await connection.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"content-type: application/problem+json" in head.lower()
        assert json.loads(body)["code"] == "invalid"


async def test_a_client_that_leaves_within_its_body_is_no_error_of_the_service(
    live: Live, lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    before = await lab.state()
    connection = await Connection.open(live)
    token = f"Authorization: token {lab.owner.token}"
    path = "/api/v1/ada/lab/experiments"
    await connection.head(f"POST {path}", token, "Content-Type: application/json", "Content-Length: 50")
    await connection.send(b'{"name": ')
    await connection.close()
    with caplog.at_level("INFO"):
        async with asyncio.timeout(10):
            while not any(path in record.getMessage() for record in caplog.records):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert await lab.state() == before
