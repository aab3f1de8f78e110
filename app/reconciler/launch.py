"""Scheduled experiments that fit are started, in order, all jobs of one together."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from app.db.engine import transaction
from app.db.rows import AnyRow
from app.db.work import builds as db_builds
from app.db.work import experiments as db_experiments
from app.db.work import jobs as db_jobs
from app.domain.lifecycle import Status
from app.domain.runs import Admission, JobRef, RunSpec
from app.errors import InsufficientStorage
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.reconciler.context import Context
from app.services.attempts import fail_launch
from app.services.claims import Claim, claim
from app.services.outputs_places import copy_outputs
from app.services.run_specs import experiment_run, render_row, with_token
from app.services.statuses import say_of_experiment
from app.services.tokens import kill_job_tokens
from app.storage.beneath import TooDeep

Waiting = tuple[AnyRow, RunSpec]

_AT_ONCE = 50  # attempts that are claimed in one transaction
PAUSE = (1.0, 15.0)  # seconds before a launch that was delayed is tried again: first and longest


async def launch(ctx: Context) -> None:
    """One pass over what is scheduled and may start now."""
    waiting = await _load(ctx)
    if not waiting:
        return
    waiting.sort(key=lambda one: not _begun(ctx, one[0]))  # what begins already takes its share first
    admissions = await ctx.launcher.admit([run for _, run in waiting])
    starting = []
    for (row, run), admission in zip(waiting, admissions, strict=True):
        if row.launched_at is not None or admission.admitted:
            starting.append((row, run))
        elif admission.message:
            await _say_wait(ctx, row, admission)
    await _begin(ctx, [(row, run) for row, run in starting if _key(row) not in ctx.actions])


async def _begin(ctx: Context, starting: Sequence[Waiting]) -> None:
    """Claim all that need nothing before, and launch each by itself."""
    for row, run in starting:
        if row.copy_of is not None:
            ctx.begin(_key(row), _copy_and_start(ctx, row, run))
    ready = [(row, run) for row, run in starting if row.copy_of is None]
    for start in range(0, len(ready), _AT_ONCE):
        portion = ready[start : start + _AT_ONCE]
        claims = await _claim(ctx, portion)
        for row, run in portion:
            if row.id in claims:
                ctx.begin(_key(row), _start(ctx, row, run, claims[row.id]))


async def _claim(ctx: Context, attempts: Sequence[Waiting]) -> dict[int, Claim]:
    async with transaction(ctx.sessions) as session:
        claims = await claim(session, attempts)
        for row, run in attempts:
            note = ctx.launcher.notes(run) if row.attempt == 1 and row.launched_at is None else None
            if note and row.id in claims:
                await say_of_experiment(session, row.id, Status.SCHEDULED, note)
    return claims


async def _load(ctx: Context) -> list[Waiting]:
    """What is scheduled with what would be launched. Claimed ones that are there already are left out, and
    those that were told that they never fit, however many: what a machine has is measured once."""
    hopeless = {uuid for uuid, _, never in ctx.said if never}
    async with transaction(ctx.sessions) as session:
        rows = await db_experiments.scheduled(session, hopeless)
        new = [row for row in rows if _unknown(ctx, row)]
        jobs = await db_jobs.of_experiments(session, [row.id for row in new]) if new else {}
        for row in new:
            environment = (
                None if row.build_id is None else await db_builds.environment_of(session, row.build_id)
            )
            rendered = render_row(ctx.settings, row)
            ctx.runs[row.uuid] = experiment_run(ctx.settings, row, rendered, jobs[row.id], environment)
    ctx.runs = {row.uuid: ctx.runs[row.uuid] for row in rows}  # forgets those that wait no more
    waiting = [(row, ctx.runs[row.uuid]) for row in rows]
    claimed = [job.ref for row, run in waiting if row.launched_at is not None for job in run.jobs]
    there = await ctx.launcher.observe(claimed)
    return [
        (row, run)
        for row, run in waiting
        if row.launched_at is None or any(job.ref not in there for job in run.jobs)
    ]


def _key(row: AnyRow) -> str:
    return f"launch {row.uuid}-{row.attempt}"


def _begun(ctx: Context, row: AnyRow) -> bool:
    return row.launched_at is not None or _key(row) in ctx.actions


def _unknown(ctx: Context, row: AnyRow) -> bool:
    run = ctx.runs.get(row.uuid)
    return run is None or run.attempt != row.attempt


async def _say_wait(ctx: Context, row: AnyRow, admission: Admission) -> None:
    """Say once what it waits for, and once that it can never fit."""
    key = (row.uuid, row.attempt, admission.never)
    if key in ctx.said:
        return
    async with transaction(ctx.sessions) as session:
        await say_of_experiment(session, row.id, Status.SCHEDULED, admission.message or "")
    ctx.said.add(key)


async def _copy_and_start(ctx: Context, row: AnyRow, run: RunSpec) -> None:
    if await _copy_outputs(ctx, row):
        claims = await _claim(ctx, [(row, run)])
        if row.id in claims:
            await _start(ctx, row, run, claims[row.id])


async def _start(ctx: Context, row: AnyRow, run: RunSpec, claimed: Claim) -> None:
    """Launch, note what was launched. A crash between the claim and the note leaves it to the next pass,
    which claims and launches again: the launcher starts each attempt once."""
    try:
        definitions = await ctx.launcher.launch(with_token(run, claimed.token))
    except LaunchDelayed as delay:
        await _delay(ctx, row, str(delay))
        return
    except LaunchRefused as refusal:
        async with transaction(ctx.sessions) as session:
            await fail_launch(session, row.id, row.attempt, str(refusal))
    else:
        await _note(ctx, claimed.jobs, definitions)
    ctx.pauses.pop(row.uuid, None)


async def _copy_outputs(ctx: Context, row: AnyRow) -> bool:
    """Give it its copy of the original's outputs; whether it has it. Else it was told why, and waits or
    failed."""
    places = (row.copy_of, row.outputs_uuid, row.outputs_volume)
    try:
        await ctx.on_outputs(copy_outputs, ctx.settings, *places)
    except TooDeep as error:
        await _cannot_copy(ctx, row, str(error))
        return False
    except InsufficientStorage as error:
        await _delay(ctx, row, error.detail)
        return False
    except OSError as error:
        what = "" if error.filename is None else f" ({Path(os.fsdecode(error.filename)).name})"
        why = f"{error.strerror}{what}."
        if isinstance(error, PermissionError):  # nobody will give the right: what is closed, a job closed
            await _cannot_copy(ctx, row, why)
        else:
            await _delay(ctx, row, f"The outputs can't be copied: {why}")
        return False
    async with transaction(ctx.sessions) as session:
        await db_experiments.set_columns(session, row.id, copy_of=None)
    return True


async def _cannot_copy(ctx: Context, row: AnyRow, why: str) -> None:
    async with transaction(ctx.sessions) as session:
        await fail_launch(session, row.id, row.attempt, f"The outputs can't be copied: {why}")


async def _note(ctx: Context, ids: dict[str, int], definitions: dict[JobRef, dict[str, object]]) -> None:
    """Keep what was launched, as its jobs' `definition`; `ids` by their uuids."""
    async with transaction(ctx.sessions) as session:
        for ref, definition in definitions.items():
            await db_jobs.set_definition(session, ids[ref.uuid], definition)


async def _delay(ctx: Context, row: AnyRow, reason: str) -> None:
    """Leave it to a later pass: many may wait for the same, such as a quota. Nothing has its token."""
    first, longest = PAUSE
    pause = ctx.pauses[row.uuid] = min(longest, 2 * ctx.pauses.get(row.uuid, first / 2))
    async with transaction(ctx.sessions) as session:
        if await db_experiments.unclaim(session, row.id, row.attempt, timedelta(seconds=pause)):
            await kill_job_tokens(session, row.id)
        await say_of_experiment(session, row.id, Status.SCHEDULED, reason)
