"""Code uploads and downloads, as the contract has them."""

import asyncio
import hashlib
import io
import os
import tarfile
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select

from app.db.engine import Sessions, transaction
from app.db.tables import CodeArchive
from app.services.tokens import create_job_token
from app.settings import Settings
from tests.people import Person

UPLOAD = "/ada/p/repo/upload"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Small limits."""
    return settings.model_copy(
        update={"max_upload": 3 * 1024**2, "max_unpacked": 4 * 1024**2, "max_entries": 50}
    )


@pytest.fixture(autouse=True)
async def project(ada: Person) -> None:
    await ada.http.post("/projects", json={"name": "p"})


def packed(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar.gz of these files, and of entries without contents."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, contents in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(contents)
            archive.addfile(entry, io.BytesIO(contents))
        for other in others:
            archive.addfile(other)
    return target.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


async def upload(person: Person, archive: bytes, path: str = UPLOAD) -> httpx.Response:
    return await person.http.put(path, files={"repo": ("code.tar.gz", archive, "application/gzip")})


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {entry.name: (tar.extractfile(entry) or io.BytesIO()).read() for entry in tar if entry.isreg()}


CODE = {"train.py": b"print('hello')\n", "requirements.txt": b"numpy\n"}


async def test_what_was_uploaded_comes_back(ada: Person, settings: Settings) -> None:
    assert (await ada.http.get("/ada/p/repo")).status_code == 404
    assert (await ada.http.get("/ada/p/repo/download")).status_code == 404
    answer = await upload(ada, packed(CODE))
    assert answer.status_code == 200
    stored = answer.json()
    assert set(stored) == {"created_at", "size", "sha256"}
    assert (await ada.http.get("/ada/p/repo")).json() == stored
    assert (await ada.http.get("/ada/p")).json()["has_code"] is True
    download = await ada.http.get("/ada/p/repo/download")
    assert download.headers["Content-Type"] == "application/gzip"
    assert download.headers["Content-Disposition"] == 'attachment; filename="p.tar.gz"'
    assert download.headers["X-Content-Type-Options"] == "nosniff"
    assert int(download.headers["Content-Length"]) == len(download.content) == stored["size"]
    assert hashlib.sha256(download.content).hexdigest() == stored["sha256"]
    assert unpacked(download.content) == CODE
    assert list((settings.data / "uploads").iterdir()) == []


async def test_build_files_are_known_by_their_contents(ada: Person, sessions: Sessions) -> None:
    await upload(ada, packed(CODE))
    async with transaction(sessions) as session:
        step_files = (await session.execute(select(CodeArchive.step_files))).scalar_one()
    assert step_files == {"requirements.txt": hashlib.sha256(b"numpy\n").hexdigest()}


async def test_an_upload_replaces_for_new_experiments_and_stays_for_old_ones(ada: Person) -> None:
    async def experiment() -> str:
        return f"/ada/p/experiments/{(await ada.http.post('/ada/p/experiments')).json()['id']}"

    async def code_of(path: str) -> dict[str, bytes]:
        return unpacked((await ada.http.get(f"{path}/code")).content)

    bare = await experiment()
    await upload(ada, packed({"a": b"1"}))
    first = await experiment()
    await upload(ada, packed({"a": b"2"}))
    second = await experiment()
    assert await code_of(first) == {"a": b"1"}
    assert await code_of(second) == {"a": b"2"}
    assert (await ada.http.get(f"{bare}/code")).status_code == 404
    for _ in range(2):
        assert (await ada.http.delete("/ada/p/repo")).status_code == 204
    assert (await ada.http.get("/ada/p/repo")).status_code == 404
    assert (await ada.http.get("/ada/p")).json()["has_code"] is False
    assert await code_of(second) == {"a": b"2"}


BAD = {
    "dots": ({"../evil": b"x"}, [], "../evil"),
    "absolute": ({"/etc/evil": b"x"}, [], "/etc/evil"),
    "link out": ({}, [special("out", tarfile.SYMTYPE, "../..")], "out"),
    "device": ({}, [special("null", tarfile.CHRTYPE)], "null"),
    "too large": ({"big": bytes(5 * 1024**2)}, [], None),
    "too many": ({f"f{i}": b"" for i in range(60)}, [], None),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_must_not_be_unpacked_is_refused_and_what_was_there_stays(ada: Person, case: str) -> None:
    files, others, name = BAD[case]
    before = (await upload(ada, packed(CODE))).json()
    answer = await upload(ada, packed(files, *others))
    assert answer.status_code == 400
    if name is not None:
        assert name in answer.text
    assert (await ada.http.get("/ada/p/repo")).json() == before


async def test_links_that_stay_inside_are_kept(ada: Person) -> None:
    archive = packed(CODE, special("here", tarfile.SYMTYPE, "train.py"))
    assert (await upload(ada, archive)).status_code == 200
    download = await ada.http.get("/ada/p/repo/download")
    with tarfile.open(fileobj=io.BytesIO(download.content), mode="r:gz") as tar:
        assert tar.getmember("here").linkname == "train.py"


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


REPO = b'Content-Disposition: form-data; name="repo"; filename="c"\r\n\r\n'
JUNK = b"not a tar.gz at all"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        (form(REPO + JUNK), None),
        (form(b'Content-Disposition: form-data; name="other"\r\n\r\nx'), ["repo"]),
        (form(REPO + packed(CODE), REPO + packed(CODE)), ["repo"]),
        (form(REPO + packed(CODE), end=b""), ["body"]),
        (form(REPO + packed(CODE), end=b"--b"), ["body"]),
        (b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n", ["body"]),
        (b"--wrong\r\n\r\n", ["body"]),
        (b"", ["body"]),
        (form(b"X: " + b"y" * 10_000 + b"\r\n\r\nx"), ["body"]),
    ],
)
async def test_a_body_that_is_no_such_form_is_refused(
    ada: Person, body: bytes, loc: list[str] | None
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await ada.http.put(UPLOAD, content=body, headers=headers)
    assert answer.status_code == 400
    if loc is not None:
        assert answer.json()["errors"][0]["loc"] == loc
    assert (await ada.http.get("/ada/p/repo")).status_code == 404


@pytest.mark.parametrize(
    "media", ["application/gzip", "multipart/form-data", "", "multipart/form-data; boundary="]
)
async def test_a_body_of_another_type_is_refused(ada: Person, media: str) -> None:
    answer = await ada.http.put(UPLOAD, content=packed(CODE), headers={"Content-Type": media})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["header", "content-type"]


async def test_other_fields_are_passed_over(ada: Person) -> None:
    body = form(
        b'Content-Disposition: form-data; name="json"\r\n\r\n{"async": true}',
        REPO + packed(CODE),
        b'Content-Disposition: form-data; name="after"\r\nX-Other: 1\r\n\r\n1',
    )
    headers = {"Content-Type": 'multipart/form-data; boundary="b"'}
    assert (await ada.http.put(UPLOAD, content=body, headers=headers)).status_code == 200


async def test_a_file_over_the_limit_is_413_before_it_is_read(ada: Person) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(10**9)}
    answer = await ada.http.put(UPLOAD, content=never(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("head", [REPO, b'Content-Disposition: form-data; name="other"\r\n\r\n'])
async def test_without_a_length_reading_stops_at_the_limit(ada: Person, head: bytes) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"--b\r\n" + head
        while True:
            sent += 65_536
            yield os.urandom(65_536)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await ada.http.put(UPLOAD, content=endless(), headers=headers)
    assert answer.status_code == 413
    assert sent < 4 * 1024**2


async def test_who_may_not_change_it_is_told_before_the_body_is_read(
    ada: Person, bob: Person, client: httpx.AsyncClient
) -> None:
    assert (await upload(bob, packed(CODE))).status_code == 404
    await ada.http.patch("/ada/p", json={"is_public": True})
    await upload(ada, packed(CODE))
    assert (await upload(bob, packed(CODE))).status_code == 403
    assert (await bob.http.delete("/ada/p/repo")).status_code == 403
    assert (await bob.http.get("/ada/p/repo/download")).status_code == 200
    assert (await client.put(f"/api/v1{UPLOAD}")).status_code == 401
    assert (await client.get("/api/v1/ada/p/repo")).status_code == 401


async def test_a_job_reads_its_own_code_and_nothing_else(
    ada: Person, client: httpx.AsyncClient, sessions: Sessions
) -> None:
    await upload(ada, packed(CODE))
    own = (await ada.http.post("/ada/p/experiments")).json()["id"]
    other = (await ada.http.post("/ada/p/experiments")).json()["id"]
    async with transaction(sessions) as session:
        token = await create_job_token(session, ada.id, own, attempt=1)

    async def status(method: str, path: str) -> int:
        headers = {"Authorization": f"EphemeralToken {token}", "X-POLYAXON-INTERNAL": "runner"}
        return (await client.request(method, f"/api/v1/ada/p{path}", headers=headers)).status_code

    assert await status("GET", f"/experiments/{own}/code") == 200
    assert await status("GET", f"/experiments/{other}/code") == 403
    for method, path in (
        ("GET", "/repo"),
        ("GET", "/repo/download"),
        ("PUT", "/repo/upload"),
        ("DELETE", "/repo"),
    ):
        assert await status(method, path) == 403


async def test_uploads_at_once_leave_one_of_them_whole(ada: Person, sessions: Sessions) -> None:
    answers = await asyncio.gather(*(upload(ada, packed({"n": str(i % 3).encode()})) for i in range(9)))
    assert {answer.status_code for answer in answers} == {200}
    kept = (await ada.http.get("/ada/p/repo")).json()
    download = await ada.http.get("/ada/p/repo/download")
    assert hashlib.sha256(download.content).hexdigest() == kept["sha256"]


async def test_an_upload_to_a_project_deleted_meanwhile_leaves_nothing(
    ada: Person, settings: Settings, sessions: Sessions
) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"--b\r\n" + REPO
        assert (await ada.http.delete("/ada/p")).status_code == 204
        yield packed(CODE) + b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await ada.http.put(UPLOAD, content=cut(), headers=headers)
    assert answer.status_code == 404
    assert [path for path in (settings.data / "code").rglob("*") if path.is_file()] == []
    async with transaction(sessions) as session:
        assert (await session.execute(select(CodeArchive.id))).all() == []


async def test_a_download_of_code_that_was_removed_is_404(ada: Person, settings: Settings) -> None:
    sha256 = (await upload(ada, packed(CODE))).json()["sha256"]
    for path in (settings.data / "code").rglob(f"{sha256}*"):
        path.unlink()
    assert (await ada.http.get("/ada/p/repo/download")).status_code == 404
