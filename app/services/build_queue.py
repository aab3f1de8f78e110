"""Builds in the making: a row for each project and hash, one run for all rows of a hash."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.rows import AnyRow
from app.db.tables.base import new_uuid
from app.db.work import builds as db
from app.db.work import experiments as db_experiments
from app.domain.lifecycle import Role, Status
from app.domain.runs import BuildSpec, JobRef, JobSpec, RunKind, RunSpec
from app.domain.spec.rendered import RenderedSpec
from app.services.run_specs import render_row
from app.services.scheduling import schedule
from app.services.statuses import move_build, move_experiment, start_build_history
from app.settings import Settings


async def add_build(
    session: AsyncSession,
    row: AnyRow,
    rendered: RenderedSpec,
    build_hash: str,
    status: Status,
    *,
    environment: str | None = None,
) -> int:
    """A row for the project of this experiment; gives its id."""
    build = rendered.build
    assert build is not None
    spec = {
        "image": build.image,
        "build_steps": list(build.steps),
        "env_vars": [list(pair) for pair in build.env_vars],
        "nocache": build.nocache,
    }
    values: dict[str, Any] = {
        "uuid": new_uuid(),
        "project_id": row.project_id,
        "user_id": row.user_id,
        "code_id": row.code_id,
        "hash": build_hash,
        "spec": spec,
        "status": status.value,
        "environment": environment,
    }
    message = None
    if status is Status.SUCCEEDED:
        now = await db.database_time(session)
        values |= {"started_at": now, "finished_at": now, "collected_at": now, "cleaned_at": now}
        message = "the environment was there already"
    build_id = await db.add(session, values)
    await start_build_history(session, build_id, status, message)
    return build_id


def build_run(settings: Settings, row: AnyRow) -> RunSpec:
    """The run that makes the environment, of a row of `db.work.builds.live`."""
    spec = row.spec
    return RunSpec(
        uuid=row.uuid,
        kind=RunKind.BUILD,
        attempt=row.attempt,
        jobs=(JobSpec(JobRef(row.uuid, row.attempt), Role.MASTER, 0),),
        command="",
        principal=row.uuid,
        code=row.code,
        image=spec["image"],
        build=BuildSpec(row.hash, spec["image"], tuple(spec["build_steps"]), spec["nocache"]),
        env_vars=tuple((name, value) for name, value in spec["env_vars"]),
        grace=settings.grace,
        labels={"project": f"{row.owner}.{row.project_name}", "build": str(row.id)},
    )


async def finish_build(
    session: AsyncSession,
    settings: Settings,
    build: AnyRow,
    to: Status,
    message: str | None,
    *,
    environment: str | None = None,
    at: datetime | None = None,
    details: dict[str, Any] | None = None,
) -> bool:
    """End a build as it ended; those that wait for it go on, fail with it, or (it was stopped) wait for
    another. False when it moved meanwhile."""
    await db.lock_hash(session, build.hash)
    moved = await move_build(
        session,
        build.id,
        Status(build.status),
        to,
        message,
        at=at,
        details=details,
        values={"environment": environment},
    )
    if not moved:
        return False
    if environment is not None:
        await db.use_environment(session, build.hash, environment)
    waiting = await db.waiting(session, build.id)
    rows = {row.id: row for row in await db_experiments.by_id(session, waiting)}
    for experiment_id in waiting:
        row = rows.get(experiment_id)
        if to is Status.SUCCEEDED and row is not None:
            await schedule(session, row, render_row(settings, row), None)
        elif to is Status.FAILED:
            reason = f"build {build.id} failed: {message}"
            await move_experiment(session, experiment_id, Status.BUILDING, Status.FAILED, reason)
    if to is Status.STOPPED and rows:
        await _build_again(session, settings, build.hash, list(rows.values()))
    return True


async def _build_again(
    session: AsyncSession, settings: Settings, build_hash: str, rows: list[AnyRow]
) -> None:
    """They began to wait while the build was being stopped: they get one of their own."""
    build_id = await add_build(session, rows[0], render_row(settings, rows[0]), build_hash, Status.CREATED)
    for row in rows:
        await db_experiments.set_columns(session, row.id, build_id=build_id)
