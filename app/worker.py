"""The reconciler process, composed."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.engine import Sessions, create_engine, create_sessions, transaction
from app.db.leader import leadership, still_leads
from app.db.migrations import current_schema
from app.db.notify import Listener, Notifier
from app.db.trouble import is_away, reason
from app.embedded.errors import CannotStart
from app.embedded.runtime import service_python_for_jobs
from app.launchers.base import LauncherAway, LauncherUnusable
from app.launchers.holding import UsersTaken, held_folder, held_users
from app.launchers.local.launcher import LocalLauncher
from app.launching import make_launcher
from app.reconciler.context import Context
from app.reconciler.logs.collector import LogCollector
from app.reconciler.loop import Loop
from app.reconciler.status import ReconcilerStatus, status_server
from app.reconciler.usage import UsageSampler
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.storage.log_objects import LocalLogObjects

logger = logging.getLogger(__name__)

ASK_AGAIN = 2.0  # seconds between two tries to lead, and between two looks whether it still does


class LostLead(Exception):
    """The connection that holds the lock is gone: another may lead by now."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reconciler has whether it leads or not."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    listener: Listener
    status: ReconcilerStatus


async def run_worker(settings: Settings, stopping: asyncio.Event) -> None:
    """Reconcile whenever no other does, until `stopping` is set. Jobs that run go on."""
    if settings.database_url is None:
        raise ValueError("no database: set DATABASE_URL")
    engine = create_engine(
        settings.database_url,
        pool=settings.database_pool,
        timeout=settings.database_timeout,
        name="bunsen reconcile",
    )
    notifier, listener = Notifier(engine), Listener(engine)
    parts = Parts(settings, engine, create_sessions(engine, notifier), listener, ReconcilerStatus())
    await notifier.start()
    await listener.start()
    telling = asyncio.create_task(_tell_status(parts), name="status")
    try:
        while not stopping.is_set():
            await _lead_if_free(parts, stopping)
    finally:
        telling.cancel()
        await listener.close()
        await notifier.close()
        await engine.dispose()


async def _lead_if_free(parts: Parts, stopping: asyncio.Event) -> None:
    """Lead until it ends, or wait a moment where another leads, or the database is away or not migrated."""
    try:
        if not await _runs_on_schema(parts):
            return
        async with leadership(parts.engine) as connection:
            if connection is None:
                _say_wait(parts, "stands by: another reconciler leads")
                return
            # A leader whose lock in the database was lost may be at work there, or one of another database.
            with held_folder(parts.settings.data) as ours:
                if not ours:
                    _say_wait(parts, f"waits: another reconciler works on {parts.settings.data}")
                    return
                with _users(parts.settings):
                    await _lead(parts, connection, stopping)
    except* LostLead:
        logger.warning("the lead is lost: the database went away")
    except* LauncherAway as group:
        parts.status.away = str(group.exceptions[0])
        logger.warning("%s", parts.status.away)
    except* (OSError, TimeoutError, PoolTimeoutError) as group:
        _say_away(group)
    except* (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as group:
        # It went in the middle of a statement, or comes up.
        if group.split(is_away)[1]:
            raise
        _say_away(group)
    finally:
        await _pause(stopping, ASK_AGAIN)


def _say_away(group: BaseExceptionGroup[BaseException]) -> None:
    logger.warning("the database can't be reached: %s", reason(group.exceptions[0]))


def _say_wait(parts: Parts, words: str) -> None:
    """Say once why it does not lead."""
    if words != parts.status.waits:
        logger.info("%s", words)
    parts.status.waits = words


async def _runs_on_schema(parts: Parts) -> bool:
    """Whether this release runs on the database's schema; says once why not."""
    async with transaction(parts.sessions) as session:
        trouble = (await current_schema(session)).trouble()
    if trouble and trouble != parts.status.schema:
        logger.warning("waits: %s", trouble)
    parts.status.schema = trouble
    return trouble is None


@contextlib.contextmanager
def _users(settings: Settings) -> Iterator[None]:
    """Hold the users of jobs, where these have their own. Raises CannotStart."""
    if not settings.gives_users:
        yield
        return
    try:
        with held_users(settings.uid_range):
            yield
    except UsersTaken as error:
        raise CannotStart(str(error)) from None


async def _lead(parts: Parts, connection: AsyncConnection, stopping: asyncio.Event) -> None:
    settings = parts.settings
    code = CodeArchives(settings.data / "code")
    log_objects = LocalLogObjects(settings.data / "logs")
    launcher = make_launcher(settings, code)
    try:
        await launcher.start()
    except LauncherUnusable as error:
        raise CannotStart(str(error)) from None
    logger.info("leads")
    parts.status.begin(launcher)
    python = partial(service_python, settings)
    ctx = Context(settings, parts.sessions, parts.listener, launcher, log_objects, code, python)
    collector = LogCollector(parts.sessions, parts.listener, launcher, log_objects)
    tasks = [
        asyncio.create_task(Loop(ctx, parts.status).run(), name="loop"),
        asyncio.create_task(collector.run(), name="log collector"),
        asyncio.create_task(
            UsageSampler(parts.sessions, parts.listener, launcher).run(), name="usage sampler"
        ),
        asyncio.create_task(_keep_lead(connection), name="lead"),
        asyncio.create_task(_until(stopping), name="stopping"),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        parts.status.end()
        for task in (*tasks, *ctx.actions.values()):
            task.cancel()
        await asyncio.gather(*tasks, *ctx.actions.values(), return_exceptions=True)
        if stopping.is_set() and isinstance(launcher, LocalLauncher) and stops_jobs(settings):
            await launcher.stop_all()
        await ctx.servers.close()
        await launcher.close()


def stops_jobs(settings: Settings) -> bool:
    """Whether jobs end with the service: the setting, else where it is a container's first process."""
    return os.getpid() == 1 if settings.stop_jobs_on_exit is None else settings.stop_jobs_on_exit


def service_python(settings: Settings) -> str:
    """A Python with TensorBoard that the users of jobs can run. Blocks, for seconds at the first time on one
    machine; in a pod it is the image's."""
    if settings.launcher == "kubernetes":
        return "python3"
    uid = settings.uid_range[0] if os.geteuid() == 0 else os.getuid()
    gid = uid if os.geteuid() == 0 else os.getgid()
    return str(service_python_for_jobs(settings.data, uid, gid))


async def _tell_status(parts: Parts) -> None:
    """Answer probes where a setting names a port."""
    if parts.settings.status_port is not None:
        await status_server(parts.status, parts.settings.host, parts.settings.status_port).serve()


async def _keep_lead(connection: AsyncConnection) -> None:
    while True:
        if not await still_leads(connection):
            raise LostLead
        await asyncio.sleep(ASK_AGAIN)


async def _until(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
