"""Who logs metrics, when, and many at once."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.db.engine import Sessions, transaction
from app.db.metrics.remove import remove_of_experiment
from app.db.tables import Experiment, LastMetric, Metric
from tests.api.logged import last_metric, log, rows_of
from tests.api.tracked import add_launched, add_tracked, id_of, job_client
from tests.people import Person


@pytest.mark.parametrize("word", ["succeeded", "failed", "stopped"])
async def test_a_finished_experiment_still_takes_metrics(ada: Person, sessions: Sessions, word: str) -> None:
    path = await add_tracked(ada)
    async with transaction(sessions) as session:
        row = await session.get(Experiment, id_of(path))
        assert row is not None
        row.status = word
    await log(ada, path, values={"a": 1})


async def test_a_jobs_token_logs_to_its_own_experiment_alone(ada: Person, sessions: Sessions) -> None:
    path, other = await add_launched(ada), await add_launched(ada)
    job = await job_client(sessions, ada, path)
    point = {"values": {"loss": 0.5}}
    assert (await job.post(f"{path}/metrics/", json=[point])).status_code == 201
    assert (await job.post(f"{path}/metrics/batch/", json={"points": [point]})).status_code == 201
    assert (await job.get(f"{path}/metrics")).json()["count"] == 2
    assert (await job.get(f"{path}/metrics/history?name=loss")).json()["count"] == 2
    for method, suffix in [
        ("POST", "metrics"),
        ("POST", "metrics/batch"),
        ("GET", "metrics"),
        ("GET", "metrics/history?name=a"),
    ]:
        sent = {"points": [point], **point} if method == "POST" else None
        answer = await job.request(method, f"{other}/{suffix}", json=sent)
        assert answer.status_code == 403


async def test_strangers_see_no_experiment_and_readers_log_nothing(
    ada: Person, bob: Person, client: httpx.AsyncClient
) -> None:
    path = await add_tracked(ada)
    point = {"values": {"a": 1}}
    assert (await client.post(f"/api/v1{path}/metrics", json=point)).status_code == 401
    assert (await bob.http.post(f"{path}/metrics", json=point)).status_code == 404
    assert (await bob.http.get(f"{path}/metrics")).status_code == 404
    assert (await bob.http.get(f"{path}/metrics/history?name=a")).status_code == 404
    await ada.http.patch("/ada/quick-start", json={"is_public": True})
    assert (await bob.http.post(f"{path}/metrics", json=point)).status_code == 403
    assert (await bob.http.post(f"{path}/metrics/batch", json={"points": [point]})).status_code == 403
    assert (await bob.http.get(f"{path}/metrics")).status_code == 200


@pytest.mark.parametrize("body", [{"values": {"a": 1}}, [{"values": {"a": 1}}]])
async def test_there_is_nothing_to_log_to_after_the_deletion(ada: Person, body: Any) -> None:
    path = await add_tracked(ada)
    assert (await ada.http.delete(path)).status_code == 204
    assert (await ada.http.post(f"{path}/metrics", json=body)).status_code == 404
    assert (await ada.http.get(f"{path}/metrics")).status_code == 404


async def test_many_writers_of_the_same_keys_lose_nothing_and_agree_on_the_newest(
    ada: Person, sessions: Sessions
) -> None:
    path = await add_tracked(ada)

    async def write(worker: int) -> None:
        for step in range(10):
            keys = ["a", "b", "c", "d"] if worker % 2 else ["d", "c", "b", "a"]
            point = {"values": dict.fromkeys(keys, worker * 100 + step), "step": step}
            sent = [point] * (worker % 3 + 1) if worker % 3 else point
            answer = await ada.http.post(f"{path}/metrics", json=sent)
            assert answer.status_code == 201, answer.text

    await asyncio.gather(*(write(worker) for worker in range(12)))
    rows = await rows_of(ada, path)
    assert len(rows) == 4 * 10 * (1 + 2 + 3)
    newest = max(rows, key=lambda row: (row["created_at"], row["id"]))
    assert await last_metric(ada, path) == newest["values"]
    async with sessions() as session:
        counts = (await session.execute(select(LastMetric.count))).scalars().all()
    assert counts == [len(rows)] * 4


async def test_a_deletion_waits_for_writers_and_leaves_no_row(ada: Person, sessions: Sessions) -> None:
    path = await add_tracked(ada)
    experiment_id = id_of(path)

    first = asyncio.Event()

    async def write() -> None:
        while True:
            answer = await ada.http.post(f"{path}/metrics", json=[{"values": {"a": 1}}] * 50)
            if answer.status_code == 404:
                return
            assert answer.status_code == 201, answer.text
            first.set()

    async def remove() -> None:
        await first.wait()
        async with transaction(sessions) as session:
            row = await session.get(Experiment, experiment_id)
            await session.delete(row)
            await session.flush()
            await remove_of_experiment(session, experiment_id)

    await asyncio.gather(remove(), *(write() for _ in range(4)))
    async with sessions() as session:
        left = await session.execute(
            select(func.count()).select_from(Metric).where(Metric.experiment_id == experiment_id)
        )
        assert left.scalar_one() == 0
