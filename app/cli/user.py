"""`bunsen user`: users, by whoever may run commands on the service's database."""

import sys
from typing import Any

import click

from app.cli.database import in_sessions
from app.cli.options import read_settings, setting_options
from app.db.engine import Sessions, transaction
from app.services.passwords import hash_password
from app.services.users import ListedUser, create_user, list_users, set_password

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input in place of asking for it."
)


@click.group("user")
def command() -> None:
    """Add and list users, set passwords."""


@command.command("add")
@click.argument("username")
@click.option("--email", default="", help="Where the user gets mail.")
@click.option("--superuser", is_flag=True, help="A user that may do everything.")
@password_option
@setting_options("data", "database_url")
def add(username: str, email: str, superuser: bool, password_stdin: bool, **typed: Any) -> None:
    """Add a user, who logs in with the password that is asked for."""
    password = _read_password(password_stdin)

    async def work(sessions: Sessions) -> None:
        hashed = await hash_password(password)
        async with transaction(sessions) as session:
            await create_user(session, username, hashed, email=email, is_superuser=superuser)

    in_sessions(read_settings(typed), work)
    click.echo(f"Added {username}.")


@command.command("list")
@setting_options("data", "database_url")
def show(**typed: Any) -> None:
    """List the users: name, kind, mail, since when."""

    async def work(sessions: Sessions) -> list[ListedUser]:
        async with transaction(sessions) as session:
            return await list_users(session)

    for user in in_sessions(read_settings(typed), work):
        kind = "superuser" if user.is_superuser else "user"
        state = kind if user.is_active else f"{kind}, inactive"
        click.echo(f"{user.username}\t{state}\t{user.email}\t{user.created_at:%Y-%m-%d}")


@command.command("password")
@click.argument("username")
@password_option
@setting_options("data", "database_url")
def change(username: str, password_stdin: bool, **typed: Any) -> None:
    """Give a user another password; the tokens got with the old one die."""
    password = _read_password(password_stdin)

    async def work(sessions: Sessions) -> None:
        hashed = await hash_password(password)
        async with transaction(sessions) as session:
            await set_password(session, username, hashed)

    in_sessions(read_settings(typed), work)
    click.echo(f"{username} has another password.")


def _read_password(from_stdin: bool) -> str:
    if sys.stdin is None:
        raise click.UsageError("Standard input is closed: there is no password to read.")
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password
