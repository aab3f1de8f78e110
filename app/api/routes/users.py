"""Users: who one is, logging in, letting in, deleting."""

from typing import Any

from fastapi import Request, status
from pydantic import ValidationError

from app.api.deps import CallerDep, ServiceDep, SessionDep
from app.api.requests import is_json
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.paths import AnyUsername
from app.api.schemas.users import Credentials, User, UserToken
from app.domain.plain_json import require_json
from app.errors import BadInput, Place
from app.services import logins, users
from app.services.logins import LoginLimit

router = api_router("users")

# Forms are taken, too; SDKs want one type.
CREDENTIALS = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Credentials"}}},
    }
}


@router.post("/users/token", responses=errors(400, 401, 413, 429, 503), openapi_extra=CREDENTIALS)
async def create_user_token(request: Request, service: ServiceDep) -> UserToken:
    """Log in.

    A new token for a username and its password, sent as JSON or as a form. Ten tries a minute for a user
    and address, unless the right password is among them.
    """
    credentials = await _read_credentials(request)
    limit = LoginLimit(service.settings.login_tries, service.settings.login_window)
    address = request.client.host if request.client else ""
    token = await logins.log_in(service.sessions, credentials.username, credentials.password, address, limit)
    return UserToken(token=token)


async def _read_credentials(request: Request) -> Credentials:
    """The body in either form. Raises BadInput, which never quotes it."""
    if is_json(request.headers.get("content-type", "")):
        sent: Any = await request.json()
    else:
        async with request.form(max_files=0, max_fields=10) as form:
            sent = {key: value for key, value in form.items() if isinstance(value, str)}
        require_json(sent, ())
    try:
        return Credentials.model_validate(sent)
    except ValidationError as error:
        places = [Place(tuple(e["loc"]), e["msg"], e["type"]) for e in error.errors(include_input=False)]
        raise BadInput("Send `username` and `password`, as JSON or as a form.", errors=places) from None


@router.get("/users")
async def get_current_user(caller: CallerDep) -> User:
    """Get the caller.

    Who the token stands for.
    """
    return User(username=caller.username, email=caller.email, is_superuser=caller.is_superuser)


@router.post("/users/activate/{username}", responses=errors(403, 404))
async def activate_user(username: AnyUsername, caller: CallerDep, session: SessionDep) -> User:
    """Activate a user.

    It may log in from now on. Superusers only.
    """
    return User.model_validate(await users.activate_user(session, caller, username))


@router.delete(
    "/users/delete/{username}", status_code=status.HTTP_204_NO_CONTENT, responses=errors(403, 404, 409)
)
async def delete_user(username: AnyUsername, caller: CallerDep, session: SessionDep) -> None:
    """Delete a user.

    One that owns no project goes with its tokens and bookmarks; the last superuser stays. Superusers only.
    """
    await users.delete_user(session, caller, username)
