"""Being let in to a TensorBoard's page, where users reach the service below a path."""

import httpx
import pytest
from sqlalchemy import select

from app.db.engine import Sessions, transaction
from app.db.tables import Token
from app.services.access import Caller
from app.services.tickets import TicketKind, create_ticket
from app.settings import Settings
from tests.api.tracked import add_tracked, id_of
from tests.people import Person

PUBLIC = "https://lab.test/bunsen"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": PUBLIC})


async def test_the_cookie_has_the_path_of_the_public_url(
    ada: Person, client: httpx.AsyncClient, sessions: Sessions
) -> None:
    """Browsers send it to paths as they see them."""
    experiment = id_of(await add_tracked(ada))
    place = f"/tensorboard/ada/quick-start/experiments/{experiment}/"
    async with transaction(sessions) as session:
        token = (await session.execute(select(Token).where(Token.user_id == ada.id))).scalar_one()
        caller = Caller(ada.id, ada.username, "", False, token.id, token.hash)
        made = await create_ticket(session, caller, TicketKind.TENSORBOARD, place, experiment)
    answer = await client.get(place, params={"ticket": made.ticket})
    assert (answer.status_code, answer.headers["location"]) == (303, PUBLIC + place)
    assert f"Path=/bunsen{place};" in answer.headers["set-cookie"]
