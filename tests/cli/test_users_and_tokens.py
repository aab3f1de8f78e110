"""`bunsen user` and `bunsen token` do what they say, on the service's database."""

import re

import pytest

from tests.cli.conftest import Bunsen

PASSWORD = "correct horse battery"


def add(bunsen: Bunsen, name: str, *options: str) -> None:
    result = bunsen("user", "add", name, "--password-stdin", *options, input=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert result.output == f"Added {name}.\n"


def test_users_are_added_and_listed_by_name(on_database: Bunsen) -> None:
    add(on_database, "root", "--superuser", "--email", "root@example.org")
    add(on_database, "ada")
    rows = [line.split("\t")[:3] for line in on_database("user", "list").output.splitlines()]
    assert rows == [["ada", "user", "ada@localhost"], ["root", "superuser", "root@example.org"]]


def test_a_password_is_asked_for_twice_where_it_is_not_piped(on_database: Bunsen) -> None:
    result = on_database("user", "add", "ada", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("user", "add", "ada", "--password-stdin"), "ada is taken"),
        (("user", "add", "a/b", "--password-stdin"), "username: must be"),
        (("user", "password", "eve", "--password-stdin"), "There is no user"),
        (("token", "create", "eve"), "There is no user"),
        (("token", "list", "eve"), "There is no user"),
        (("token", "revoke", "999999999"), "There is no token 999999999."),
    ],
)
def test_what_cant_be_done_is_one_sentence(
    on_database: Bunsen, words: tuple[str, ...], sentence: str
) -> None:
    add(on_database, "ada")
    result = on_database(*words, input=f"{PASSWORD}\n")
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_an_empty_password_is_refused(on_database: Bunsen) -> None:
    result = on_database("user", "add", "ada", "--password-stdin", input="\n")
    assert result.exit_code == 1
    assert on_database("user", "list").output == ""


def test_tokens_are_created_listed_and_revoked(on_database: Bunsen) -> None:
    add(on_database, "ada")
    add(on_database, "bob")
    made = on_database("token", "create", "ada", "--name", "laptop")
    token = made.stdout.removesuffix("\n")
    assert re.fullmatch("[0-9a-f]{40}", token)
    on_database("token", "create", "bob")
    everyone = [line.split("\t") for line in on_database("token", "list").output.splitlines()]
    assert sorted((user, name) for _, user, name, _ in everyone) == [("ada", "laptop"), ("bob", "-")]
    adas = on_database("token", "list", "ada").output.splitlines()
    assert len(adas) == 1
    assert token not in adas[0]
    number = adas[0].split("\t")[0]
    assert made.stderr == f"Token {number} of ada; to revoke it: bunsen token revoke {number}\n"
    assert on_database("token", "revoke", number).output == f"Token {number} is revoked.\n"
    assert on_database("token", "list", "ada").output == ""


def test_another_password_kills_the_tokens_that_logins_got(on_database: Bunsen) -> None:
    add(on_database, "ada")
    on_database("token", "create", "ada", "--name", "login")
    on_database("token", "create", "ada", "--name", "laptop")
    result = on_database("user", "password", "ada", "--password-stdin", input="another one\n")
    assert result.output == "ada has another password.\n"
    assert [line.split("\t")[2] for line in on_database("token", "list").output.splitlines()] == ["laptop"]
