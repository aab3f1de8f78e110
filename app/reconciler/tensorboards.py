"""TensorBoards: started when wanted, watched until their page answers, started again, stopped when idle."""

import asyncio
import secrets
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.db.engine import transaction
from app.db.notify import Channel, announce
from app.db.rows import AnyRow
from app.db.work import tensorboards as db
from app.domain.lifecycle import DONE, Role, Status
from app.domain.runs import JobObservation, JobRef, JobSpec, RunKind, RunSpec
from app.launchers.base import LaunchDelayed, LauncherAway, LaunchRefused
from app.launchers.servers import ServerAway
from app.reconciler.context import Context
from app.services import tensorboard_program
from app.services.experiments.drafts import outputs_path
from app.services.tensorboard_program import KEY, PROOF, key_of, proof_of

GRACE = 2.0  # seconds; it has nothing to save
MOST_FAILURES = 5  # deaths in a row after which it is not started again
PROBE = 5.0  # seconds for one answer of its page
PAUSE = 0.1  # seconds between two probes
PROGRAM = Path(tensorboard_program.__file__).read_text()


async def tensorboards(ctx: Context) -> None:
    """One pass over those that are wanted or not ended."""
    async with transaction(ctx.sessions) as session:
        rows = await db.live(session)
    if not rows:
        return
    refs = {JobRef(row.uuid, row.attempt): row for row in rows}
    seen = await ctx.launcher.observe(list(refs))
    for ref, row in refs.items():
        await _follow(ctx, row, ref, seen.get(ref))


async def _follow(ctx: Context, row: AnyRow, ref: JobRef, seen: JobObservation | None) -> None:
    alive = seen is not None and seen.status not in DONE
    status = Status(row.status)
    if not row.wanted or row.deleted_at is not None:
        await _end(ctx, row, ref, seen, alive=alive)
    elif await _is_idle(ctx, row):
        ctx.wake.set()
    elif status is Status.STARTING and seen is None:
        ctx.begin(f"launch TensorBoard {row.uuid}", _launch(ctx, row))
    elif seen is not None and status is Status.STARTING and alive:
        await _await_page(ctx, row, seen)
    elif status is Status.RUNNING and alive:
        return
    elif status in {Status.STARTING, Status.RUNNING}:
        await _died(ctx, row, ref, seen)
    elif row.retry_at is None or row.retry_at <= datetime.now(UTC):
        await _claim(ctx, row)


async def _await_page(ctx: Context, row: AnyRow, seen: JobObservation) -> None:
    """Probe it once it runs; until then say what it waits for."""
    if seen.status is Status.RUNNING:
        ctx.begin(f"probe TensorBoard {row.uuid}", _probe(ctx, row, seen.ref))
    elif seen.message is not None and seen.message != row.message:
        await _change(ctx, row, {"message": seen.message})


async def _is_idle(ctx: Context, row: AnyRow) -> bool:
    """Whether nobody asked for it for so long that it is not wanted any more."""
    before = datetime.now(UTC) - timedelta(seconds=ctx.settings.tensorboard_idle)
    if row.requested_at > before:
        return False
    async with transaction(ctx.sessions) as session:
        return await db.unwant(session, row, "nobody asked for it", asked_before=before)


async def _claim(ctx: Context, row: AnyRow) -> None:
    """A new attempt with a secret of its own, before anything of it is launched."""
    values = {
        "status": Status.STARTING.value,
        "attempt": row.attempt + 1,
        "secret": secrets.token_hex(20),
        "address": None,
        "started_at": datetime.now(UTC),
    }
    await _change(ctx, row, values)
    ctx.wake.set()


async def _launch(ctx: Context, row: AnyRow) -> None:
    """Start it; twice starts one."""
    try:
        await ctx.launcher.launch(await _run(ctx, row))
    except LaunchDelayed as delay:
        await _wait(ctx, row, delay)
    except LaunchRefused as refusal:
        await _give_up(ctx, row, str(refusal))


async def _wait(ctx: Context, row: AnyRow, delay: LaunchDelayed) -> None:
    """Say what it waits for; it is tried again after a tick, not before."""
    await _change(ctx, row, {"message": str(delay)})
    await asyncio.sleep(ctx.settings.tick)


async def _run(ctx: Context, row: AnyRow) -> RunSpec:
    python = await ctx.find_service_python()
    logdir = outputs_path(ctx.settings, row.outputs_uuid, row.outputs_volume)
    return RunSpec(
        uuid=row.uuid,
        kind=RunKind.TENSORBOARD,
        attempt=row.attempt,
        jobs=(JobSpec(JobRef(row.uuid, row.attempt), Role.MASTER, 0),),
        # Its source in the command: its user may not be able to read the service's own files.
        command=f"exec {shlex.quote(python)} -I -c {shlex.quote(PROGRAM)}",
        variables={"BUNSEN_TENSORBOARD_LOGDIR": logdir},
        token=row.secret,
        principal=row.outputs_uuid,
        outputs=row.outputs_uuid,
        outputs_volume=row.outputs_volume,
        grace=GRACE,
    )


async def _probe(ctx: Context, row: AnyRow, ref: JobRef) -> None:
    """It runs once its page answers, and proves that it is ours."""
    try:
        address = await ctx.launcher.address(ref)
    except LauncherAway:
        return
    except LaunchDelayed as delay:
        await _wait(ctx, row, delay)
        return
    if address is not None and await _answers(ctx, row, address):
        values = {"status": Status.RUNNING.value, "address": address, "failures": 0, "message": None}
        await _change(ctx, row, values)
    else:
        await asyncio.sleep(PAUSE)


async def _answers(ctx: Context, row: AnyRow, address: str) -> bool:
    try:
        async with asyncio.timeout(PROBE):
            answer = await ctx.servers.send(address, "GET", b"/", {KEY: key_of(row.secret)})
            await answer.aclose()
    except (ServerAway, TimeoutError):
        return False
    return answer.status_code == 200 and answer.headers.get(PROOF) == proof_of(row.secret)


async def _died(ctx: Context, row: AnyRow, ref: JobRef, seen: JobObservation | None) -> None:
    failures = row.failures + 1
    message = (seen.message if seen else None) or "it ended"
    if failures > MOST_FAILURES:
        await _give_up(ctx, row, message)
        return
    values = {
        "status": Status.SCHEDULED.value,
        "address": None,
        "failures": failures,
        "message": message,
        "retry_at": datetime.now(UTC) + timedelta(seconds=min(60, 2**failures)),
    }
    if await _change(ctx, row, values) and seen is not None:
        await ctx.launcher.forget(ref)


async def _give_up(ctx: Context, row: AnyRow, message: str) -> None:
    async with transaction(ctx.sessions) as session:
        await db.unwant(session, row, message, asked_before=datetime.now(UTC))
    await _change(ctx, row, {"status": Status.FAILED.value, "address": None, "message": message})


async def _end(ctx: Context, row: AnyRow, ref: JobRef, seen: JobObservation | None, *, alive: bool) -> None:
    if alive:
        await ctx.launcher.stop(ref, GRACE)
    elif await _change(ctx, row, {"status": Status.STOPPED.value, "address": None}) and seen is not None:
        await ctx.launcher.forget(ref)


async def _change(ctx: Context, row: AnyRow, values: dict[str, Any]) -> bool:
    async with transaction(ctx.sessions) as session:
        changed = await db.change(session, row, values)
        if changed:
            announce(session, Channel.TENSORBOARD, row.experiment_id)
    return changed
