"""launch: a copy begins once it has its original's outputs; where it can't have them, it says so."""

import errno

import pytest

from app.reconciler.context import Context
from app.reconciler.launch import launch
from tests.reconciler.rows import experiment, make_experiment, messages, prepare, set_experiment

ORIGINAL = "0" * 32


@pytest.fixture
async def copy(ctx: Context) -> int:
    """One that is to have a copy of the original's outputs."""
    id = await make_experiment(ctx)
    await prepare(ctx)
    await set_experiment(ctx, id, copy_of=ORIGINAL)
    return id


async def launched(ctx: Context) -> None:
    await launch(ctx)
    await ctx.settle_actions()


async def test_folders_within_folders_without_end_fail_it(ctx: Context, copy: int) -> None:
    (ctx.settings.data / "outputs" / ORIGINAL).joinpath(*["d"] * 300).mkdir(parents=True)
    await launched(ctx)
    assert (await experiment(ctx, copy)).status == "failed"
    said = "The outputs can't be copied: There are more than 256 folders within folders."
    assert (await messages(ctx, copy))[-1] == said


async def test_what_may_not_be_read_fails_it(
    ctx: Context, copy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody comes to give the right: waiting for it would have no end."""

    def closed(*places: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "a/closed")

    monkeypatch.setattr("app.reconciler.launch.copy_outputs", closed)
    await launched(ctx)
    assert (await experiment(ctx, copy)).status == "failed"
    assert (await messages(ctx, copy))[-1] == "The outputs can't be copied: Permission denied (closed)."


async def test_what_the_disk_refuses_is_waited_for_and_tried_again_after_a_pause(
    ctx: Context, copy: int
) -> None:
    outputs = ctx.settings.data / "outputs"
    outputs.rename(outputs.with_name("away"))
    outputs.write_text("no folder")
    await launched(ctx)
    row = await experiment(ctx, copy)
    assert (row.status, row.copy_of) == ("scheduled", ORIGINAL)
    assert row.retry_at is not None
    assert "The outputs can't be copied: Not a directory" in str((await messages(ctx, copy))[-1])
    outputs.unlink()
    outputs.with_name("away").rename(outputs)
    await set_experiment(ctx, copy, retry_at=None)
    await launched(ctx)
    assert (await experiment(ctx, copy)).launched_at is not None


async def test_an_action_that_fails_is_left_to_the_next_tick(
    ctx: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """Else what always fails would be tried again and again without a pause."""

    async def fail() -> None:
        raise RuntimeError("never right")

    ctx.wake.clear()
    for _ in range(2):
        ctx.begin("always", fail())
        await ctx.settle_actions()
    assert not ctx.wake.is_set()
    assert [record.message for record in caplog.records] == ["always failed, it is tried again"]
