"""Which database a command works on, and how it says that there is none."""

import os
from pathlib import Path

import pytest

from app.embedded.postgres import EmbeddedPostgres
from tests.cli.conftest import Bunsen
from tests.databases import on_server
from tests.embedded.other_user import as_other
from tests.embedded.processes import ask


def test_without_a_service_or_a_url_there_is_none(command_line: Bunsen, tmp_path: Path) -> None:
    result = command_line("user", "list")
    assert result.exit_code == 1
    assert f"no `bunsen up` runs on {tmp_path / 'data'}" in result.stderr
    assert "DATABASE_URL is not set" in result.stderr


def test_the_service_on_a_folder_is_found_by_it(
    command_line: Bunsen,
    folder: Path,
    server: EmbeddedPostgres,
) -> None:
    assert command_line("migrate", "--data", str(folder)).exit_code == 0
    assert ask(server.url, "SELECT count(*) FROM users") == 0
    assert command_line("user", "list", "--data", str(folder)).exit_code == 0


def test_a_url_that_is_typed_wins(
    command_line: Bunsen,
    server: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert "The database can't be used" in command_line("migrate").stderr
    assert command_line("migrate", "--database-url", server.url).exit_code == 0


def test_an_empty_url_is_none(command_line: Bunsen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert "DATABASE_URL is not set" in command_line("user", "list").stderr


def test_migrations_run_once_and_name_the_revision(
    command_line: Bunsen,
    server: EmbeddedPostgres,
) -> None:
    first = command_line("migrate", "--database-url", server.url)
    again = command_line("migrate", "--database-url", server.url)
    assert first.output.startswith("The database's schema is at ")
    assert again.output == first.output


def test_migrations_make_the_first_user_with_the_password_that_a_setting_gives(
    command_line: Bunsen,
    server: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once: a later migration changes nobody's password."""
    url = ("--database-url", server.url)
    command_line("migrate", *url)
    assert command_line("user", "list", *url).output == ""
    monkeypatch.setenv("BUNSEN_ROOT_PASSWORD", "first-password")
    command_line("migrate", *url)
    assert command_line("user", "list", *url).output.startswith("root\tsuperuser\t")
    kept = ask(server.url, "SELECT password_hash FROM users")
    monkeypatch.setenv("BUNSEN_ROOT_PASSWORD", "second-password")
    command_line("migrate", *url)
    assert ask(server.url, "SELECT password_hash FROM users") == kept
    assert ask(server.url, "SELECT count(*) FROM users") == 1


def test_a_schema_of_a_newer_version_is_left_alone(
    command_line: Bunsen,
    server: EmbeddedPostgres,
) -> None:
    command_line("migrate", "--database-url", server.url)
    ask(server.url, "UPDATE alembic_version SET version_num = '9999'")
    for words in (("migrate",), ("user", "list")):
        result = command_line(*words, "--database-url", server.url)
        assert result.exit_code == 1
        assert "made by a newer version of Bunsen: its schema is at 9999" in result.stderr


def test_a_release_runs_on_the_next_ones_schema_where_that_says_so(
    command_line: Bunsen,
    server: EmbeddedPostgres,
) -> None:
    command_line("migrate", "--database-url", server.url)
    ask(server.url, "UPDATE alembic_version SET version_num = '9999'")
    ask(server.url, "INSERT INTO schema_support (revision, oldest) VALUES ('9999', '0001')")
    assert command_line("migrate", "--database-url", server.url).output == (
        "The database's schema is at 9999.\n"
    )
    assert command_line("user", "list", "--database-url", server.url).exit_code == 0
    ask(server.url, "UPDATE schema_support SET oldest = '9998' WHERE revision = '9999'")
    assert "made by a newer version" in command_line("migrate", "--database-url", server.url).stderr


def test_a_database_without_a_schema_says_what_to_run(
    command_line: Bunsen,
    server: EmbeddedPostgres,
) -> None:
    result = command_line("user", "list", "--database-url", server.url)
    assert "schema is at nothing" in result.stderr
    assert "run `bunsen migrate`" in result.stderr


def test_a_database_that_is_not_there_is_named(command_line: Bunsen, server: EmbeddedPostgres) -> None:
    result = command_line("migrate", "--database-url", on_server(server.url, "none"))
    assert 'The database can\'t be used: database "none" does not exist.' in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")
def test_the_folder_of_someone_else_is_named(command_line: Bunsen, folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)

    def ask_as_nobody() -> str:
        return command_line("user", "list", "--data", str(closed)).stderr

    assert "belongs to another user" in as_other(65_534, 65_534, ask_as_nobody)
