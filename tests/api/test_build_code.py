"""What a build's steps see of its project's code: for people, and for the build's own token alone."""

import asyncio
import io
import tarfile

import httpx
import pytest

from app.db.engine import Sessions, transaction
from app.db.tables import Build, Project
from app.db.tables.base import new_uuid
from app.domain.lifecycle import Status
from app.services.statuses import move_build
from app.services.tokens import create_build_token
from tests.api.test_code import packed, special, upload
from tests.people import Person

CODE = {"sub/r.txt": b"x==1", "setup.sh": b"echo", "train.py": b"", "d/setup.sh": b"no"}


@pytest.fixture(autouse=True)
async def project(ada: Person) -> None:
    await ada.http.post("/projects", json={"name": "p"})
    links = [
        special("requirements.txt", tarfile.SYMTYPE, "here/r.txt"),
        special("here", tarfile.SYMTYPE, "sub"),
    ]
    assert (await upload(ada, packed(CODE, *links))).status_code == 200


async def add_build(sessions: Sessions, person: Person, *, code: bool = True) -> tuple[int, str]:
    """A build of the project, and its token."""
    async with transaction(sessions) as session:
        row = (await session.execute(Project.__table__.select())).one()
        build = Build(
            uuid=new_uuid(),
            project_id=row.id,
            user_id=person.id,
            code_id=row.code_id if code else None,
            hash="h",
            spec={},
            status=Status.CREATED.value,
        )
        session.add(build)
        await session.flush()
        return build.id, await create_build_token(session, build.id)


def call(build: int) -> str:
    return f"/ada/p/builds/{build}/code"


async def as_build(client: httpx.AsyncClient, token: str, path: str) -> int:
    headers = {"Authorization": f"EphemeralToken {token}", "X-POLYAXON-INTERNAL": "runner"}
    return (await client.get(f"/api/v1{path}", headers=headers)).status_code


async def test_it_has_the_files_that_steps_see_and_nothing_else(ada: Person, sessions: Sessions) -> None:
    build, _ = await add_build(sessions, ada)
    answer = await ada.http.get(call(build))
    assert answer.headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as archive:
        found = {entry.name: entry for entry in archive}
        assert {name: (entry.isreg(), entry.mode) for name, entry in found.items()} == {
            "requirements.txt": (True, 0o644),
            "setup.sh": (True, 0o755),
        }
        file = archive.extractfile("requirements.txt")
        assert file is not None
        assert file.read() == b"x==1", "links are followed"
    none, _ = await add_build(sessions, ada, code=False)
    assert (await ada.http.get(call(none))).status_code == 404
    assert (await ada.http.get(call(2**70))).status_code == 404


async def test_a_builds_token_opens_its_own_files_until_it_is_done(
    ada: Person, bob: Person, client: httpx.AsyncClient, sessions: Sessions
) -> None:
    build, token = await add_build(sessions, ada)
    _, other = await add_build(sessions, ada)
    assert await as_build(client, token, call(build)) == 200
    assert await as_build(client, other, call(build)) == 403
    id = (await ada.http.post("/ada/p/experiments")).json()["id"]
    for path in ("/ada/p", "/ada/p/repo", f"/ada/p/experiments/{id}", f"/ada/p/builds/{build}", "/users"):
        assert await as_build(client, token, path) == 403
    assert (await bob.http.get(call(build))).status_code == 404
    async with transaction(sessions) as session:
        assert await move_build(session, build, Status.CREATED, Status.FAILED)
    async with asyncio.timeout(20):  # it is announced
        while await as_build(client, token, call(build)) != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
