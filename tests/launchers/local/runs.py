"""Runs as tests write them, and what can be seen of them."""

import asyncio
import contextlib
import io
import os
import tarfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from app.domain.lifecycle import DONE, Role, Status
from app.domain.logs.cri import CriParser
from app.domain.runs import Amounts, BuildSpec, JobObservation, JobRef, JobSpec, Resources, RunKind, RunSpec
from app.launchers.base import LogPosition
from app.launchers.local.launcher import LocalLauncher

DEADLINE = 60.0  # seconds; a busy machine may be slow, and nobody waits for it otherwise


def new_uuid() -> str:
    return uuid.uuid4().hex


def job(role: Role = Role.MASTER, index: int = 0, *, attempt: int = 1, **limits: object) -> JobSpec:
    """A job; `limits` are those of Amounts, requested too."""
    amounts = Amounts(**limits)  # type: ignore[arg-type]
    return JobSpec(JobRef(new_uuid(), attempt), role, index, Resources(amounts, amounts))


def experiment(command: str, *jobs: JobSpec, **fields: object) -> RunSpec:
    """A run of one attempt with outputs of its own."""
    uuid = new_uuid()
    run = RunSpec(uuid, RunKind.EXPERIMENT, 1, jobs or (job(),), command, principal=uuid, outputs=uuid)
    return replace(run, **fields)  # type: ignore[arg-type]


def build(*steps: str, **fields: object) -> RunSpec:
    """A build of an environment of its own hash."""
    uuid = new_uuid()
    spec = BuildSpec(hash=new_uuid(), image=None, steps=steps)
    run = RunSpec(uuid, RunKind.BUILD, 1, (job(),), "", principal=uuid, build=spec)
    return replace(run, **fields)  # type: ignore[arg-type]


def archive(
    path: Path, files: Mapping[str, str | bytes], links: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """A code archive with these files, and symbolic links to these paths."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path


async def until(seen: Callable[[], Awaitable[bool]], deadline: float = DEADLINE) -> None:
    """Wait until it is so; fail when it is not in time."""
    end = time.monotonic() + deadline
    while not await seen():
        assert time.monotonic() < end, "it did not come in time"
        await asyncio.sleep(0.01)


async def observed(
    launcher: LocalLauncher, ref: JobRef, *statuses: Status, deadline: float = DEADLINE
) -> JobObservation:
    """The job's observation once it has one of these statuses."""
    last: list[JobObservation | None] = [None]

    async def there() -> bool:
        last[0] = (await launcher.observe([ref])).get(ref)
        return last[0] is not None and last[0].status in statuses

    await until(there, deadline)
    assert last[0] is not None
    return last[0]


async def ended(launcher: LocalLauncher, run: RunSpec, deadline: float = DEADLINE) -> JobObservation:
    """The final observation of the run's first job."""
    return await observed(launcher, run.jobs[0].ref, *DONE, deadline=deadline)


async def log_bytes(launcher: LocalLauncher, ref: JobRef, limit: int = 256 * 1024) -> bytes:
    """The whole log as it is stored, read to its end."""
    position, parts = LogPosition(), []
    while True:
        read = await launcher.read_log(ref, position, limit)
        parts.append(read.data)
        position = read.end
        if read.eof:
            return b"".join(parts)
        if not read.data:
            await asyncio.sleep(0.01)


async def lines(launcher: LocalLauncher, ref: JobRef) -> list[str]:
    """The lines of a whole log, both streams."""
    parser = CriParser(None)
    data = await log_bytes(launcher, ref)
    return [
        line for block in (parser.feed(data), parser.finish()) for line in block.text.decode().splitlines()
    ]


def owned(uid: int) -> list[int]:
    """The processes of this user."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_uid == uid:
                found.append(int(folder.name))
    return found


def alive(mark: str) -> list[int]:
    """The processes whose command line or variables hold this text; zombies have neither."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
