"""observe: what becomes of an experiment that is to stop."""

from datetime import UTC, datetime

from app.domain.lifecycle import Status
from app.reconciler.context import Context
from app.reconciler.observe import observe
from tests.reconciler.rows import experiment, set_experiment, words
from tests.reconciler.sight import Seen, claimed, see


async def test_a_stop_wins_over_exit_codes(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx)
    await see(ctx, seen, id, Status.RUNNING)
    await set_experiment(ctx, id, stop_requested_at=datetime.now(UTC))
    await see(ctx, seen, id, Status.FAILED, exit_code=1, finished_at=datetime.now(UTC))
    assert (await experiment(ctx, id)).status == "stopped"


async def test_one_that_ran_says_so_though_it_was_stopped_before_that_was_seen(
    ctx: Context, seen: Seen
) -> None:
    id, began = await claimed(ctx), datetime.now(UTC)
    await set_experiment(ctx, id, stop_requested_at=datetime.now(UTC))
    await see(ctx, seen, id, Status.STOPPED, exit_code=143, started_at=began, finished_at=datetime.now(UTC))
    assert (await words(ctx, id))[-3:] == ["starting", "running", "stopped"]
    assert (await experiment(ctx, id)).started_at == began


async def test_unless_the_master_ended_before_the_stop_was_stored(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx)
    await see(ctx, seen, id, Status.RUNNING)
    ended = datetime.now(UTC)
    await set_experiment(ctx, id, stop_requested_at=datetime.now(UTC))
    await see(ctx, seen, id, Status.SUCCEEDED, exit_code=0, finished_at=ended)
    assert (await experiment(ctx, id)).status == "succeeded"


async def test_a_claimed_job_that_is_not_there_and_is_to_stop_never_starts(ctx: Context, seen: Seen) -> None:
    id = await claimed(ctx)
    await set_experiment(ctx, id, stop_requested_at=datetime.now(UTC))
    await observe(ctx)
    assert (await experiment(ctx, id)).status == "stopped"
