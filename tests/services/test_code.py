"""An upload of code whose file is being removed at that moment."""

import asyncio
import io
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from app.db import code as db
from app.db.engine import Sessions, transaction
from app.db.tables import CodeArchive, Project
from app.services.code import store_code
from app.storage.code_archives import CodeArchives
from tests.people import Person


@pytest.fixture
async def project_id(sessions: Sessions, ada: Person) -> int:
    async with transaction(sessions) as session:
        statement = insert(Project).values(owner_id=ada.id, name="p").returning(Project.id)
        return (await session.execute(statement)).scalar_one()


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "code.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("train.py")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"1"))
    return path


@pytest.fixture
def archives(tmp_path: Path) -> CodeArchives:
    return CodeArchives(tmp_path / "code")


async def test_it_waits_for_the_removal_and_stores_the_code_again(
    sessions: Sessions, project_id: int, upload: Path, archives: CodeArchives
) -> None:
    first = await store_code(sessions, archives, project_id, upload)
    async with transaction(sessions) as session:
        await db.lock_file(session, first.sha256)
        second = asyncio.create_task(store_code(sessions, archives, project_id, upload))
        await asyncio.wait({second}, timeout=0.3)
        assert not second.done()
        await session.execute(delete(CodeArchive))
        assert not await db.is_named(session, first.sha256)
        archives.delete(first.sha256)
    assert (await second).sha256 == first.sha256
    assert archives.path(first.sha256).exists()
