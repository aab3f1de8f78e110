"""Who may see and change everything."""

from app.api.deps import CallerDep, SessionDep
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.paths import AnyUsername
from app.api.schemas.users import User
from app.services import users

router = api_router("users")


@router.post("/superusers/grant/{username}", responses=errors(403, 404))
async def grant_superuser(username: AnyUsername, caller: CallerDep, session: SessionDep) -> User:
    """Make a user a superuser.

    It may then see and change everything. Superusers only.
    """
    return User.model_validate(await users.grant_superuser(session, caller, username))


@router.post("/superusers/revoke/{username}", responses=errors(403, 404, 409))
async def revoke_superuser(username: AnyUsername, caller: CallerDep, session: SessionDep) -> User:
    """Make a superuser a plain user.

    The last superuser stays one. Superusers only.
    """
    return User.model_validate(await users.revoke_superuser(session, caller, username))
