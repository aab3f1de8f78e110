"""`bunsen token`: tokens, by whoever may run commands on the service's database."""

from typing import Any

import click

from app.cli.database import in_sessions
from app.cli.options import read_settings, setting_options
from app.db import users as db_users
from app.db.engine import Sessions, transaction
from app.errors import NotFound
from app.services.tokens import ListedToken, create_token, find_caller, hash_token, list_tokens, revoke_token


@click.group("token")
def command() -> None:
    """Create, list and revoke tokens."""


@command.command("create")
@click.argument("username")
@click.option("--name", default=None, help="What it is for, to know it by.")
@setting_options("data", "database_url")
def create(username: str, name: str | None, **typed: Any) -> None:
    """Create a token of a user and print it; it is shown this once.

    Its number, by which it is revoked, is told beside it, on standard error.
    """

    async def work(sessions: Sessions) -> tuple[str, int | None]:
        async with transaction(sessions) as session:
            user = await db_users.find(session, username)
            if user is None:
                raise NotFound(f"There is no user {username!r}.")
            token = await create_token(session, user.id, name=name)
            made = await find_caller(session, hash_token(token))
            return token, made.token_id if made else None

    token, number = in_sessions(read_settings(typed), work)
    click.echo(token)
    if number is not None:  # an inactive user's token is nobody's
        click.echo(f"Token {number} of {username}; to revoke it: bunsen token revoke {number}", err=True)


@command.command("list")
@click.argument("username", required=False)
@setting_options("data", "database_url")
def show(username: str | None, **typed: Any) -> None:
    """List the tokens of a user, or of all: number, user, name, since when."""

    async def work(sessions: Sessions) -> list[ListedToken]:
        async with transaction(sessions) as session:
            if username is not None and await db_users.find(session, username) is None:
                raise NotFound(f"There is no user {username!r}.")
            return await list_tokens(session, username)

    for token in in_sessions(read_settings(typed), work):
        click.echo(f"{token.id}\t{token.username}\t{token.name or '-'}\t{token.created_at:%Y-%m-%d}")


@command.command("revoke")
@click.argument("number", type=int)
@setting_options("data", "database_url")
def revoke(number: int, **typed: Any) -> None:
    """Revoke a token by its number (`bunsen token list`); it dies in every process at once."""

    async def work(sessions: Sessions) -> None:
        async with transaction(sessions) as session:
            await revoke_token(session, number)

    in_sessions(read_settings(typed), work)
    click.echo(f"Token {number} is revoked.")
