"""Tickets of every kind: for one path, for so long, once or more often."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Sessions, transaction
from app.db.tables import Experiment, Project, Token, User
from app.errors import NotAuthenticated
from app.services.access import Caller
from app.services.tickets import LIFETIMES, TicketKind, create_ticket, open_ticket, use_ticket
from app.services.tokens import create_token, find_caller, hash_token


@pytest.fixture
async def caller(session: AsyncSession) -> Caller:
    """A user with a token, and an experiment."""
    return await add_caller(session)


@pytest.fixture
async def caller_stored(sessions: Sessions) -> Caller:
    """The same, for those who use sessions of their own."""
    async with transaction(sessions) as session:
        return await add_caller(session)


async def add_caller(session: AsyncSession) -> Caller:
    user = (await session.execute(insert(User).values(username="ada").returning(User.id))).scalar_one()
    new = insert(Project).values(owner_id=user, name="lab").returning(Project.id)
    project = (await session.execute(new)).scalar_one()
    values = {"project_id": project, "user_id": user, "outputs_uuid": "x", "reads": [], "status": "running"}
    await session.execute(insert(Experiment).values(**values))
    token = await create_token(session, user)
    caller = await find_caller(session, hash_token(token))
    assert caller is not None
    return caller


async def make(session: AsyncSession, caller: Caller, kind: TicketKind, path: str) -> str:
    experiment = (await session.execute(select(Experiment.id))).scalar_one()
    made = await create_ticket(session, caller, kind, path, experiment)
    assert abs(made.expires_at - datetime.now(UTC) - LIFETIMES[kind]).total_seconds() < 60
    return made.ticket


async def test_it_stands_for_who_made_it(session: AsyncSession, caller: Caller) -> None:
    ticket = await make(session, caller, TicketKind.LOG, "/a/logs")
    assert await open_ticket(session, TicketKind.LOG, ticket, "/a/logs") == caller


@pytest.mark.parametrize("kind", list(TicketKind))
async def test_it_opens_its_own_kind_alone(session: AsyncSession, caller: Caller, kind: TicketKind) -> None:
    ticket = await make(session, caller, kind, "/a")
    for other in TicketKind:
        if other is not kind:
            with pytest.raises(NotAuthenticated):
                await open_ticket(session, other, ticket, "/a")


async def test_a_cookie_opens_all_below_its_path_and_nothing_beside_it(
    session: AsyncSession, caller: Caller
) -> None:
    ticket = await make(session, caller, TicketKind.COOKIE, "/tensorboard/1/")
    for path in ("/tensorboard/1/", "/tensorboard/1/data/runs"):
        assert await open_ticket(session, TicketKind.COOKIE, ticket, path) == caller
    for path in ("/tensorboard/12/", "/tensorboard", "/"):
        with pytest.raises(NotAuthenticated):
            await open_ticket(session, TicketKind.COOKIE, ticket, path)


async def test_one_that_is_used_up_opens_nothing_more(session: AsyncSession, caller: Caller) -> None:
    ticket = await make(session, caller, TicketKind.TENSORBOARD, "/a")
    assert await use_ticket(session, TicketKind.TENSORBOARD, ticket, "/a") == caller
    for use in (use_ticket, open_ticket):
        with pytest.raises(NotAuthenticated):
            await use(session, TicketKind.TENSORBOARD, ticket, "/a")


async def test_of_two_who_use_it_at_once_one_gets_in(sessions: Sessions, caller_stored: Caller) -> None:
    async with transaction(sessions) as session:
        ticket = await make(session, caller_stored, TicketKind.TENSORBOARD, "/a")

    async def use() -> Caller:
        async with transaction(sessions) as session:
            return await use_ticket(session, TicketKind.TENSORBOARD, ticket, "/a")

    results = await asyncio.gather(*(use() for _ in range(8)), return_exceptions=True)
    assert [result for result in results if not isinstance(result, NotAuthenticated)] == [caller_stored]


async def test_it_dies_with_its_token_or_when_its_user_is_shut_out(
    session: AsyncSession, caller: Caller
) -> None:
    ticket = await make(session, caller, TicketKind.LOG, "/a")
    user = await session.get_one(User, caller.user_id)
    user.is_active = False
    await session.flush()
    with pytest.raises(NotAuthenticated):
        await open_ticket(session, TicketKind.LOG, ticket, "/a")
    user.is_active = True
    await session.delete(await session.get_one(Token, caller.token_id))
    await session.flush()
    with pytest.raises(NotAuthenticated):
        await open_ticket(session, TicketKind.LOG, ticket, "/a")
