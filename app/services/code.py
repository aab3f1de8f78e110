"""Uploaded code: what a project's next experiments run in; and what trackers say of theirs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import builds as db_builds
from app.db import code as db
from app.db.engine import Sessions, transaction
from app.db.notify import Channel, announce
from app.domain.spec.build import BUILD_FILES, BUILD_SCRIPTS
from app.errors import NotFound
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.projects import THERE_IS_NONE, get_project
from app.storage.code_archives import CodeArchives, CodeFacts

T = TypeVar("T")

# Checking takes seconds of a core for a large archive: two at once, and in nobody else's threads.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="code")


@dataclass(frozen=True, slots=True)
class StoredCode:
    """An archive as it is stored; `size` in bytes."""

    sha256: str
    size: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StepFiles:
    """Which files of the archive `sha256` a build's steps see."""

    sha256: str
    names: tuple[str, ...]


async def store_code(sessions: Sessions, archives: CodeArchives, project_id: int, upload: Path) -> StoredCode:
    """Check an uploaded tar.gz, keep it, and make it what the project's next experiments run in.

    What was there stays until all is checked, and goes with the last experiment that names it. It opens
    transactions of its own, since none may be held while an archive is checked.
    Raises BadInput with the entry's name, InsufficientStorage, NotFound for a project deleted meanwhile.
    """
    while True:  # again where the file was nobody's, and the reconciler removed it just now
        facts = await _in_thread(lambda: archives.add(upload, BUILD_FILES))
        try:
            stored = await _name(sessions, archives, project_id, facts)
        except NotFound:
            await _drop_unnamed(sessions, archives, facts.sha256)
            raise
        if stored is not None:
            return stored


async def _name(
    sessions: Sessions, archives: CodeArchives, project_id: int, facts: CodeFacts
) -> StoredCode | None:
    """Write the row; None when the file was removed since it was stored (the last row that named it went)."""
    async with transaction(sessions) as session:
        await db.lock_file(session, facts.sha256)
        if not archives.path(facts.sha256).exists():
            return None
        try:
            row = await db.replace(
                session, project_id, sha256=facts.sha256, size=facts.size, step_files=facts.files
            )
        except IntegrityError:  # the project was removed
            row = None
        if row is None:
            raise NotFound(THERE_IS_NONE)
        announce(session, Channel.WORK)
        return StoredCode(row.sha256, row.size, row.created_at)


async def _drop_unnamed(sessions: Sessions, archives: CodeArchives, sha256: str) -> None:
    async with transaction(sessions) as session:
        await db.lock_file(session, sha256)
        if not await db.is_named(session, sha256):
            await asyncio.to_thread(archives.delete, sha256)  # short, and it needs the lock


async def get_code(session: AsyncSession, caller: Caller, username: str, project_name: str) -> StoredCode:
    """What the project's next experiments run in. Raises NotFound."""
    project = await get_project(session, caller, username, project_name)
    return await _stored(session, project.code_id, "No code was uploaded to this project.")


async def get_experiment_code(session: AsyncSession, caller: Caller, path: ExperimentPath) -> StoredCode:
    """What an experiment runs in. Raises NotFound."""
    experiment = await get_brief(session, caller, path)
    return await _stored(session, experiment.code_id, "This experiment runs no uploaded code.")


async def _stored(session: AsyncSession, archive_id: int | None, none: str) -> StoredCode:
    row = await db.find(session, archive_id) if archive_id is not None else None
    if row is None:
        raise NotFound(none)
    return StoredCode(row.sha256, row.size, row.created_at)


async def get_build_files(
    session: AsyncSession, caller: Caller, username: str, project_name: str, build_id: int
) -> StepFiles:
    """Those of a build's code that its steps see; the build's own token may ask, too. Raises NotFound."""
    project = await get_project(session, caller, username, project_name, build_id=build_id)
    row = await db_builds.find_code(session, project.id, build_id)
    if row is None:
        raise NotFound("There is no such build, or it has no code.")
    return StepFiles(row.sha256, tuple(name for name in BUILD_FILES if name in row.step_files))


async def pack_files(archives: CodeArchives, files: StepFiles, to: IO[bytes]) -> None:
    """Write them to `to` as a tar.gz. Raises NotFound for an archive that was deleted just now."""
    modes = {name: 0o755 if name in BUILD_SCRIPTS else 0o644 for name in files.names}
    try:
        await _in_thread(lambda: archives.pick(files.sha256, modes, to))
    except FileNotFoundError:
        raise NotFound("This code was deleted.") from None


async def forget_code(session: AsyncSession, caller: Caller, username: str, project_name: str) -> None:
    """The next experiments run without code; also where there was none. Raises NotFound, Forbidden."""
    project = await get_project(session, caller, username, project_name, change=True)
    await db.forget(session, project.id)
    announce(session, Channel.WORK)


async def set_code_reference(
    session: AsyncSession, caller: Caller, path: ExperimentPath, reference: dict[str, Any]
) -> None:
    """Keep what a tracker says of the code that it runs. Raises NotFound, Forbidden."""
    experiment = await get_brief(session, caller, path, change=True)
    await db.set_reference(session, experiment.id, reference)


async def get_code_reference(session: AsyncSession, caller: Caller, path: ExperimentPath) -> dict[str, Any]:
    """What a tracker said last. Raises NotFound where none did."""
    experiment = await get_brief(session, caller, path)
    reference = await db.read_reference(session, experiment.id)
    if reference is None:
        raise NotFound("No code reference was posted for this experiment.")
    return reference


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
