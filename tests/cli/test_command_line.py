"""The command line's own: help, versions, settings that can't be."""

import os
import re
import shlex
import subprocess
import sys
from importlib import metadata

import pytest

from app.cli.group import COMMANDS
from app.cli.sentences import sentence
from app.errors import BadInput, Place
from tests.cli.conftest import Bunsen
from tests.embedded.processes import ROOT


def test_every_command_is_listed_with_what_it_does(command_line: Bunsen) -> None:
    listed = command_line("--help").output
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", listed, re.MULTILINE)
        assert command_line(name, "--help").exit_code == 0


def test_an_unknown_command_is_a_mistake_of_usage(command_line: Bunsen) -> None:
    result = command_line("lunch")
    assert result.exit_code == 2
    assert "No such command 'lunch'" in result.output


def test_it_says_its_version(command_line: Bunsen) -> None:
    assert command_line("--version").output == f"bunsen, version {metadata.version('bunsen')}\n"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BUNSEN_PORT", "many", "BUNSEN_PORT: Input should be a valid integer"),
        ("BUNSEN_LOG_LEVEL", "loud", "BUNSEN_LOG_LEVEL: Input should be 'debug'"),
        ("BUNSEN_STEP_ENV", "{", "BUNSEN_STEP_ENV: it is a JSON object of texts"),
    ],
)
def test_a_setting_that_cant_be_is_one_sentence(
    command_line: Bunsen, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = command_line("user", "list")
    assert result.exit_code == 1
    assert words in result.stderr


def test_what_is_typed_wins_over_variables(command_line: Bunsen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNSEN_DATA", "/of/the/variable")
    assert "/that/was/typed" in command_line("user", "list", "--data", "/that/was/typed").stderr


def test_places_of_mistakes_are_part_of_the_sentence() -> None:
    error = BadInput("It is wrong.", errors=[Place(("username",), "The name x is taken", "taken")])
    assert sentence(error) == "It is wrong. The name x is taken."
    error = BadInput("username: is taken.", errors=[Place(("username",), "is taken", "taken")])
    assert sentence(error) == "username: is taken."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("user add ada <&-", "Standard input is closed"),
        ("up --data ''", "A setting is wrong: BUNSEN_DATA: it names no folder"),
    ],
)
def test_what_no_shell_should_give_it_is_a_sentence_too(words: str, said: str) -> None:
    program = f"{shlex.quote(sys.executable)} -m app.cli {words}"
    done = subprocess.run(["sh", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_as_a_program_it_ends_with_one_sentence_and_code_1() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "user", "list", "--data", "/nowhere"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("bunsen: There is no database")
    assert done.stderr.count("\n") == 1
