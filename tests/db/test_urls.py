"""DATABASE_URL, as people write it."""

import pytest

from app.db.urls import async_url
from app.errors import BadInput


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_a_postgres_of_any_spelling_is_taken(scheme: str) -> None:
    url = async_url(f"{scheme}://ada:secret@db:5433/bunsen")
    assert url.render_as_string(hide_password=False) == "postgresql+asyncpg://ada:secret@db:5433/bunsen"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqlite:///x.db", "DATABASE_URL names sqlite: the service needs Postgres"),
        ("mysql+pymysql://db/x", "DATABASE_URL names mysql"),
        ("no url", "can't be read as a URL"),
        ("", "can't be read as a URL"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        async_url(text)
