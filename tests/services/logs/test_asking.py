"""From what a reader asks for to its stream."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.logs.owners import of_build, of_experiment
from app.domain.logs.render import LogStyle
from app.errors import NotFound
from app.services.access import Caller
from app.services.logs.asking import LogWish, ask_log
from app.services.logs.rendering import HttpRendering


@pytest.mark.parametrize("owner", [of_experiment(12345), of_build(12345)])
async def test_what_is_deleted_just_now_is_not_found(session: AsyncSession, owner: object) -> None:
    caller = Caller(1, "ada", "", False, 1, b"")
    with pytest.raises(NotFound):
        await ask_log(session, caller, owner, LogWish(HttpRendering(LogStyle())))  # type: ignore[arg-type]
