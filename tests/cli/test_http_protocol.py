"""What only a raw connection shows of HTTP as it is spoken here."""

import asyncio

from app.settings import Settings
from tests.live import serving
from tests.people import Person


async def test_a_client_of_http_1_0_gets_no_chunks(settings: Settings, ada: Person) -> None:
    """It doesn't know them; the connection's end is that of the answer."""
    assert (await ada.http.post("/projects", json={"name": "lab"})).status_code == 201
    made = await ada.http.post("/ada/lab/experiments", json={})
    there = f"/ada/lab/experiments/{made.json()['id']}"
    assert (await ada.http.post(f"{there}/logs", json={"lines": ["one", "two"]})).status_code == 201
    async with serving(settings) as live:
        for path, length, body in ((f"{there}/logs", False, b"one\ntwo\n"), (there, True, b"{")):
            reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
            writer.write(f"GET /api/v1{path} HTTP/1.0\r\nAuthorization: token {ada.token}\r\n\r\n".encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).lower()
            rest = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            assert b"transfer-encoding" not in head
            assert b"connection: close" in head
            assert (b"content-length" in head) == length
            assert rest == body if not length else rest.startswith(body)
