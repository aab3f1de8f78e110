"""observe: what the launcher sees becomes statuses; the first final one stays."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.launchers.local.launcher import LocalLauncher
from app.reconciler.context import Context
from app.reconciler.observe import observe
from app.reconciler.prepare import prepare
from app.services.attempts import settle
from tests.reconciler.rows import experiment, jobs, make_experiment, messages, set_experiment, words
from tests.reconciler.sight import ROLES, Seen, claimed, see


async def test_jobs_that_are_done_or_not_claimed_are_not_looked_at(ctx: Context, seen: Seen) -> None:
    id = await make_experiment(ctx)
    await prepare(ctx)
    await see(ctx, seen, id, Status.RUNNING)
    assert (await experiment(ctx, id)).status == "scheduled"


async def test_an_experiment_is_starting_when_a_job_is_and_running_when_its_master_is(
    ctx: Context, seen: Seen
) -> None:
    id = await claimed(ctx, **ROLES)
    await see(ctx, seen, id, Status.SCHEDULED, Status.RUNNING)
    assert (await experiment(ctx, id)).status == "starting"
    await see(ctx, seen, id, Status.RUNNING)
    assert (await experiment(ctx, id)).status == "running"


async def test_what_ran_and_ended_between_two_looks_was_running_in_between(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx)
    began, ended = datetime.now(UTC), datetime.now(UTC)
    await see(ctx, seen, id, Status.SUCCEEDED, exit_code=0, started_at=began, finished_at=ended)
    assert await words(ctx, id) == ["created", "scheduled", "starting", "running", "succeeded"]
    row = await experiment(ctx, id)
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.started_at <= row.finished_at


async def test_the_masters_success_is_the_experiments_whatever_its_workers_do(
    ctx: Context, seen: Seen
) -> None:
    id = await claimed(ctx, **ROLES)
    await see(ctx, seen, id, Status.RUNNING, Status.RUNNING)
    await see(ctx, seen, id, Status.SUCCEEDED)
    assert (await experiment(ctx, id)).status == "succeeded"
    await see(ctx, seen, id, Status.SUCCEEDED, Status.STOPPED)
    assert [job.status for job in await jobs(ctx, id)] == ["succeeded", "succeeded"]


async def test_a_workers_failure_before_that_fails_it_and_names_the_worker(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx, **ROLES)
    await see(ctx, seen, id, Status.RUNNING, Status.FAILED, message="exit code 5", exit_code=5)
    assert (await experiment(ctx, id)).status == "failed"
    assert (await messages(ctx, id))[-1] == "worker 0: exit code 5"


async def test_its_master_ran_also_where_a_worker_failed_that_gets_another_attempt(
    ctx: Context, seen: Seen
) -> None:
    id = await claimed(ctx, **ROLES, termination={"max_retries": 1})
    await see(ctx, seen, id, Status.SCHEDULED, Status.FAILED, message="exit code 5", exit_code=5)
    await see(ctx, seen, id, Status.RUNNING)
    assert (await experiment(ctx, id)).status == "running"
    await see(ctx, seen, id, Status.STOPPED)
    assert (await words(ctx, id))[-2:] == ["running", "scheduled"]


@pytest.mark.parametrize(("seconds", "ends"), [(-1, "failed"), (1, "succeeded")])
async def test_of_ends_that_are_seen_at_once_the_first_counts(
    ctx: Context, seen: Seen, seconds: int, ends: str
) -> None:
    id = await claimed(ctx, **ROLES)
    await see(ctx, seen, id, Status.RUNNING, Status.RUNNING)
    master, worker = await jobs(ctx, id)
    now = datetime.now(UTC)
    seen.by_uuid[master.uuid] = JobObservation(
        JobRef(master.uuid, 1), Status.SUCCEEDED, exit_code=0, finished_at=now
    )
    seen.by_uuid[worker.uuid] = JobObservation(
        JobRef(worker.uuid, 1), Status.FAILED, exit_code=5, finished_at=now + timedelta(seconds=seconds)
    )
    await observe(ctx)
    assert (await experiment(ctx, id)).status == ends
    assert [job.status for job in await jobs(ctx, id)] == ["succeeded", ends]


async def test_many_jobs_settle_their_experiment_a_few_times(
    ctx: Context, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await claimed(ctx, environment={"pytorch": {"n_workers": 40}})
    settled = []

    async def counted(session: AsyncSession, experiment_id: int, *args: Any) -> None:
        settled.append(experiment_id)
        await settle(session, experiment_id, *args)

    monkeypatch.setattr("app.reconciler.observe.settle", counted)
    await see(ctx, seen, id, *[Status.SUCCEEDED] * 41, started_at=datetime.now(UTC))
    assert (await words(ctx, id))[-3:] == ["starting", "running", "succeeded"]
    assert len(settled) < 10


async def test_what_is_written_together_is_right_for_each_and_stale_for_one(
    ctx: Context, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await claimed(ctx) for _ in range(4)]
    found = (Status.SUCCEEDED, Status.FAILED, Status.STARTING, Status.SUCCEEDED)
    refs = [JobRef((await jobs(ctx, id))[0].uuid, 1) for id in ids]
    now = {
        ref.uuid: JobObservation(ref, status, "no image" if status is Status.STARTING else None)
        for ref, status in zip(refs, found, strict=True)
    }
    looked = seen.observe

    async def another_first(refs_: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        monkeypatch.setattr(seen, "observe", looked)
        seen.by_uuid = {refs[3].uuid: JobObservation(refs[3], Status.FAILED, "exit code 1", 1)}
        await observe(ctx)
        seen.by_uuid = now
        return await looked(refs_)

    monkeypatch.setattr(seen, "observe", another_first)
    await observe(ctx)
    ends = [(await experiment(ctx, id)).status for id in ids]
    assert ends == ["succeeded", "failed", "starting", "failed"]
    assert [(await words(ctx, id)).count("failed") for id in ids] == [0, 1, 0, 1]
    assert (await messages(ctx, ids[2]))[-1] == "no image"


async def test_a_failure_of_the_infrastructure_gets_one_attempt_more_even_at_0(
    ctx: Context, seen: Seen
) -> None:
    id = await claimed(ctx)
    for attempt in (1, 2):
        await set_experiment(ctx, id, launched_at=datetime.now(UTC))
        assert (await experiment(ctx, id)).attempt == attempt
        await see(ctx, seen, id, Status.FAILED, message="its runner was killed", infrastructure=True)
    assert (await experiment(ctx, id)).status == "failed"
    assert "attempt 2 of 2: its runner was killed" in await messages(ctx, id)


async def test_a_new_attempt_waits_until_every_job_of_the_old_one_is_gone(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx, **ROLES, termination={"max_retries": 1})
    await see(ctx, seen, id, Status.RUNNING, Status.FAILED)
    assert (await experiment(ctx, id)).status == "running"
    await see(ctx, seen, id, Status.STOPPED)
    row = await experiment(ctx, id)
    assert (row.status, row.attempt, row.launched_at) == ("scheduled", 2, None)
    assert [(job.status, job.attempt) for job in await jobs(ctx, id)] == [("scheduled", 2), ("scheduled", 2)]


async def test_a_timeout_is_not_tried_again(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx, termination={"max_retries": 3})
    await see(ctx, seen, id, Status.FAILED, message="ran longer than 1 s", retryable=False)
    assert (await experiment(ctx, id)).status == "failed"


async def test_a_running_job_that_is_gone_was_deleted_by_someone_else(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx, termination={"max_retries": 3})
    await see(ctx, seen, id, Status.RUNNING)
    seen.by_uuid.clear()
    await observe(ctx)
    assert (await experiment(ctx, id)).status == "failed"
    assert "deleted by someone else" in str((await messages(ctx, id))[-1])


async def test_the_first_final_status_stays(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx)
    await see(ctx, seen, id, Status.FAILED, exit_code=1)
    await see(ctx, seen, id, Status.SUCCEEDED, exit_code=0)
    assert (await experiment(ctx, id)).status == "failed"
    assert (await words(ctx, id)).count("failed") == 1


async def test_a_look_that_finds_another_status_than_it_loaded_writes_nothing(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await claimed(ctx)
    job = (await jobs(ctx, id))[0]
    ref = JobRef(job.uuid, 1)
    nested = {"done": False}

    async def late(_: LocalLauncher, refs: Sequence[JobRef]) -> dict[JobRef, JobObservation]:
        if not nested["done"]:  # another observer finishes while this one looks
            nested["done"] = True
            await observe(ctx)
            return {ref: JobObservation(ref, Status.RUNNING)}
        return {ref: JobObservation(ref, Status.FAILED, "exit code 1", 1)}

    monkeypatch.setattr(LocalLauncher, "observe", late)
    await observe(ctx)
    assert (await experiment(ctx, id)).status == "failed"
    assert (await jobs(ctx, id))[0].status == "failed"


async def test_a_crash_between_a_jobs_end_and_its_experiments_is_made_up_for(
    ctx: Context, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await claimed(ctx)
    await see(ctx, seen, id, Status.RUNNING)

    async def nothing(*_: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr("app.reconciler.observe.settle", nothing)
        await see(ctx, seen, id, Status.SUCCEEDED, exit_code=0)
        assert (await experiment(ctx, id)).status == "running"
    await observe(ctx)
    assert (await experiment(ctx, id)).status == "succeeded"


async def test_what_a_job_waits_for_is_said_when_it_changes_and_once(ctx: Context, seen: Seen) -> None:
    """Also after a restart of the reconciler, which has forgotten what it said."""
    id = await claimed(ctx)
    for said in ("no node", "no node", "no image", "no image"):
        await see(ctx, seen, id, Status.SCHEDULED, message=said)
        ctx.told.clear()
    assert (await messages(ctx, id))[-2:] == ["no node", "no image"]
    assert (await experiment(ctx, id)).status == "scheduled"
    before = len(await messages(ctx, id))
    await see(ctx, seen, id, Status.SUCCEEDED, message="no image")
    await see(ctx, seen, id, Status.SCHEDULED, message="too late")
    assert "too late" not in await messages(ctx, id)
    assert len(await messages(ctx, id)) == before + 1


async def test_one_that_is_gone_with_its_lost_node_is_tried_again(ctx: Context, seen: Seen) -> None:
    """Whoever removes what is left of it says that nothing of it runs."""
    id = await claimed(ctx)
    await see(ctx, seen, id, Status.RUNNING)
    await see(ctx, seen, id, Status.UNKNOWN)
    seen.by_uuid.clear()
    await observe(ctx)
    row = await experiment(ctx, id)
    assert (row.status, row.attempt) == ("scheduled", 2)
    assert any("its node was lost" in str(said) for said in await messages(ctx, id))
