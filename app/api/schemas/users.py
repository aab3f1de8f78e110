"""Users and their tokens."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import BodyModel, ReadModel


class User(ReadModel):
    """A user."""

    username: Annotated[str, Field(description="Unique over the service.", examples=["root"])]
    email: Annotated[
        str,
        Field(
            description="Its mail address; at `localhost` where none was given.",
            examples=["root@example.org"],
        ),
    ]
    is_superuser: Annotated[
        bool, Field(description="Whether it may see and change everything.", examples=[True])
    ]


class Credentials(BodyModel):
    """What a login takes."""

    username: Annotated[str, Field(max_length=128, description="Who logs in.", examples=["root"])]
    password: Annotated[
        str, Field(max_length=1024, description="Its password.", examples=["correct horse battery staple"])
    ]


class UserToken(ReadModel):
    """A token."""

    token: Annotated[
        str,
        Field(
            description="Send it as `Authorization: token …`.",
            examples=["8fe1c1b3e05d4f0d1dd5b0f6b6ab5c1a2e4f9d70"],
        ),
    ]
