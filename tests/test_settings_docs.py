"""The page of settings and the class agree."""

import re
from pathlib import Path

from app.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
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
