"""Rows that steps work on, made through the service's own calls, and what became of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select, update

from app.db.engine import Sessions, transaction
from app.db.tables import Build, Experiment, ExperimentStatus, Job, User
from app.reconciler import build as building
from app.reconciler import prepare as preparing
from app.reconciler.context import Context
from app.services.access import Caller
from app.services.experiments.create import NewExperiment, create_experiment
from app.services.projects import NewProject, create_project


async def prepare(ctx: Context) -> None:
    """That step, and what it began."""
    await preparing.prepare(ctx)
    await ctx.settle_actions()


async def build(ctx: Context) -> None:
    """That step, and what it began."""
    await building.build(ctx)
    await ctx.settle_actions()


async def make_experiment(ctx: Context, cmd: str = "true", **spec: Any) -> int:
    """A new experiment of `ada` in the project `steps`; gives its id."""
    caller = await _caller(ctx.sessions)
    config = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}, **spec}
    new = NewExperiment(None, None, None, config, None, None)
    async with transaction(ctx.sessions) as session:
        made = await create_experiment(session, caller, ctx.settings, "ada", "steps", new, None)
    return int(made["id"])


async def _caller(sessions: Sessions) -> Caller:
    async with transaction(sessions) as session:
        user = (await session.execute(select(User).where(User.username == "ada"))).scalar_one_or_none()
        if user is None:
            user = User(username="ada", email="", is_superuser=False)
            session.add(user)
            await session.flush()
            caller = Caller(user.id, "ada", "", False, 0, b"")
            await create_project(session, caller, NewProject("steps"))
        return Caller(user.id, "ada", "", False, 0, b"")


async def experiment(ctx: Context, id: int) -> Experiment:
    async with ctx.sessions() as session:
        return (await session.execute(select(Experiment).where(Experiment.id == id))).scalar_one()


async def gone(ctx: Context, id: int) -> bool:
    async with ctx.sessions() as session:
        return (await session.execute(select(Experiment.id).where(Experiment.id == id))).first() is None


async def words(ctx: Context, id: int) -> list[str]:
    """The status words of its history."""
    query = select(ExperimentStatus.status).where(ExperimentStatus.experiment_id == id)
    async with ctx.sessions() as session:
        return list((await session.execute(query.order_by(ExperimentStatus.id))).scalars())


async def messages(ctx: Context, id: int) -> list[str | None]:
    query = select(ExperimentStatus.message).where(ExperimentStatus.experiment_id == id)
    async with ctx.sessions() as session:
        return list((await session.execute(query.order_by(ExperimentStatus.id))).scalars())


async def jobs(ctx: Context, id: int) -> list[Job]:
    query = select(Job).where(Job.experiment_id == id).order_by(Job.id)
    async with ctx.sessions() as session:
        return list((await session.execute(query)).scalars())


async def builds(ctx: Context) -> list[Build]:
    async with ctx.sessions() as session:
        return list((await session.execute(select(Build).order_by(Build.id))).scalars())


async def set_experiment(ctx: Context, id: int, **values: Any) -> None:
    """What somebody else wrote meanwhile."""
    async with transaction(ctx.sessions) as session:
        await session.execute(update(Experiment).where(Experiment.id == id).values(**values))


def meanwhile(monkey: Any, target: object, name: str, change: Callable[[], Awaitable[None]]) -> None:
    """Let something happen just before a step's call of `target.name`."""
    original = getattr(target, name)

    async def changed(*args: Any, **kwargs: Any) -> Any:
        await change()
        return await original(*args, **kwargs)

    monkey.setattr(target, name, changed)
