"""What the reconciler says of itself: ready when it leads and its steps work, or waits to lead."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.leader import leadership
from app.db.migrations import wanted_revision
from app.launchers.holding import held_folder
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from app.reconciler.status import SILENCE, ReconcilerStatus
from app.settings import Settings
from app.worker import Parts, _runs_on_schema, run_worker


async def cut(engine: AsyncEngine) -> int:
    """End the reconciler's connections that wait for a lock. In a transaction of its own: one sees the
    activity of its beginning."""
    waiting = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'bunsen reconcile' AND wait_event_type = 'Lock'"
    )
    async with engine.begin() as connection:
        return int((await connection.execute(waiting)).scalar_one())


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def probed(settings: Settings, port: int) -> Settings:
    """On that port, and with users that no other reconciler on this machine has."""
    first = 110_000_000 + os.getpid()
    return settings.model_copy(update={"status_port": port, "uids": f"{first}-{first}"})


async def answered(port: int, path: str) -> httpx.Response:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                return await client.get(f"http://127.0.0.1:{port}{path}")
            await asyncio.sleep(0.02)


async def test_a_reconciler_answers_probes_and_leads(settings: Settings, engine: AsyncEngine) -> None:
    port = free_port()
    stopping = asyncio.Event()
    worker = asyncio.create_task(run_worker(probed(settings, port), stopping))
    try:
        assert (await answered(port, "/healthz")).status_code == 200
        assert "bunsen_reconciler_leads" in (await answered(port, "/metrics")).text
        async with asyncio.timeout(60):
            while (await answered(port, "/readyz")).json()["status"] != "leads":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await worker


async def test_a_reconciler_waits_for_a_schema_on_which_it_runs(
    settings: Settings, engine: AsyncEngine
) -> None:
    """An installation's migrations may come after its processes (`deploy/`)."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    port = free_port()
    stopping = asyncio.Event()
    worker = asyncio.create_task(run_worker(probed(settings, port), stopping))
    try:
        async with asyncio.timeout(60):
            while (await answered(port, "/readyz")).status_code != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert "bunsen migrate" in (await answered(port, "/readyz")).json()["checks"]["schema"]
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE alembic_version SET version_num = :head"), {"head": wanted_revision()}
            )
        async with asyncio.timeout(60):
            while (await answered(port, "/readyz")).json()["status"] != "leads":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE alembic_version SET version_num = :head"), {"head": wanted_revision()}
            )
        stopping.set()
        await worker


async def test_a_reconciler_outlives_a_database_that_goes_in_the_middle_of_a_statement(
    settings: Settings, engine: AsyncEngine
) -> None:
    """As when Postgres is killed; the driver's error is another one than where it can't be reached."""
    port = free_port()
    stopping = asyncio.Event()
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        worker = asyncio.create_task(run_worker(probed(settings, port), stopping))
        try:
            async with asyncio.timeout(60):
                while not await cut(engine):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await connection.commit()
            async with asyncio.timeout(60):
                while (await answered(port, "/readyz")).json()["status"] != "leads":
                    assert not worker.done()
                    await asyncio.sleep(0.05)
        finally:
            stopping.set()
            await worker


async def test_a_reconciler_that_may_not_lead_says_why_once(
    settings: Settings,
    engine: AsyncEngine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It tries again and again; another reason is said, too."""
    tries = 0

    async def counted(parts: Parts) -> bool:
        nonlocal tries
        tries += 1
        return await _runs_on_schema(parts)

    async def tried() -> None:
        until = tries + 3
        async with asyncio.timeout(60):
            while tries < until:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    monkeypatch.setattr("app.worker._runs_on_schema", counted)
    monkeypatch.setattr("app.worker.ASK_AGAIN", 0.01)
    caplog.set_level(logging.INFO, "app.worker")
    stopping = asyncio.Event()
    with held_folder(settings.data) as ours:
        assert ours
        async with leadership(engine) as lead:
            assert lead is not None
            waiting = asyncio.create_task(run_worker(settings, stopping))
            await tried()
        await tried()
        stopping.set()
        await waiting
    assert [record.message for record in caplog.records if record.name == "app.worker"] == [
        "stands by: another reconciler leads",
        f"waits: another reconciler works on {settings.data}",
    ]


class TestReady:
    def test_one_that_waits_to_lead_is_ready(self) -> None:
        assert ReconcilerStatus().trouble() == {}

    def test_a_leader_whose_steps_fail_is_not_and_says_which(self) -> None:
        status = ReconcilerStatus()
        status.begin()
        status.failing["launch"] = "OSError"
        assert status.trouble() == {"launch": "OSError"}
        status.end()
        assert status.trouble() == {}

    def test_a_leader_whose_launcher_knows_nothing_new_is_not_and_says_why(self) -> None:
        class Old(LocalLauncher):
            def trouble(self) -> str | None:
                return "the cluster has said nothing for 80 s"

            def age(self) -> float:
                return 80.0

        status = ReconcilerStatus()
        status.begin(Old(LocalOptions(Path("/"))))
        assert status.trouble() == {"launcher": "the cluster has said nothing for 80 s"}
        assert status.metrics().get_sample_value("bunsen_launcher_knowledge_age_seconds") == 80.0
        status.end()
        assert status.trouble() == {}

    def test_one_that_could_not_begin_to_lead_is_not_until_it_does(self) -> None:
        status = ReconcilerStatus()
        status.away = "the API server can't be reached"
        assert status.trouble() == {"launcher": "the API server can't be reached"}
        status.begin()
        assert status.trouble() == {}

    def test_a_leader_that_is_stuck_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        status = ReconcilerStatus()
        status.begin()
        later = time.monotonic() + SILENCE + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert "loop" in status.trouble()
