"""The page of settings and the class agree."""

import re
from pathlib import Path

import pytest

from app.cli.options import TYPES_AND_HELP
from app.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
CLUSTER = re.compile(r"^## A cluster$(.*?)^## ", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^    ([A-Z_]+)=(.+)$", re.MULTILINE)
ROW = re.compile(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)?(.*?) \| (.+) \|$", re.MULTILINE)


def _variable(name: str) -> str:
    return "DATABASE_URL" if name == "database_url" else f"BUNSEN_{name.upper()}"


def test_the_page_has_a_row_for_each_setting_and_no_other() -> None:
    rows = [row[0] for row in ROW.findall(PAGE.read_text())]
    assert rows == [_variable(name) for name in Settings.model_fields]


def test_the_page_says_each_default() -> None:
    said = {row[0]: row[1] for row in ROW.findall(PAGE.read_text())}
    for name, field in Settings.model_fields.items():
        default = {} if field.default_factory is dict else field.default
        if name == "data" or default is None or default == ():
            continue
        text = str(default).lower() if isinstance(default, bool) else f"{default}".removesuffix(".0")
        assert said[_variable(name)] == text, name


def test_a_setting_without_a_value_says_in_words_what_holds() -> None:
    words = {row[0]: row[2] for row in ROW.findall(PAGE.read_text()) if not row[1]}
    assert all(text.strip() for text in words.values())


def test_the_page_names_the_option_of_each_setting_that_has_one() -> None:
    rows = {row[0]: row[3] for row in ROW.findall(PAGE.read_text())}
    named = {
        name for name in Settings.model_fields if f"`--{name.replace('_', '-')}`" in rows[_variable(name)]
    }
    assert named == set(TYPES_AND_HELP)


def test_the_page_has_an_example_of_each_setting_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that can be, and are no defaults."""
    found = CLUSTER.search(PAGE.read_text())
    assert found is not None
    examples = dict(EXAMPLE.findall(found[1]))
    assert {row[0] for row in ROW.findall(found[1])} <= examples.keys()
    for name, value in examples.items():
        monkeypatch.setenv(name, value)
    assert Settings().model_fields_set == {name.removeprefix("BUNSEN_").lower() for name in examples}
    for name in examples:
        field = name.removeprefix("BUNSEN_").lower()
        assert getattr(Settings(), field) != Settings.model_fields[field].default, name
