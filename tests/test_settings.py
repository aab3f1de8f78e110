"""A setting that makes no sense is refused at the start, in a sentence that names its variable."""

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.cli.sentences import sentence
from app.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("BUNSEN_UIDS", value)
            for value in ("0-10", "999-2000", "5000-4999", "0", "5000-4294967295", "x", "-5", "5000-")
        ),
        *(("BUNSEN_GRACE", value) for value in ("-1", "nan", "inf")),
        *(("BUNSEN_CPUS", value) for value in ("0", "-1")),
        *(("BUNSEN_PUBLIC_URL", value) for value in ("foo", "ftp://x", "http://", "http://x/?a=b")),
        *(
            ("BUNSEN_CORS_ORIGINS", value)
            for value in ('["http://a"]', "a.example", "http://a/", "http://a, b")
        ),
        *(("BUNSEN_SECRETS", value) for value in ("x", '["a"]', '{"a": 1}')),
        *(("BUNSEN_PORT", value) for value in ("-1", "65536")),
        *(("BUNSEN_DATA", value) for value in ("", "/srv/a:b")),
        ("BUNSEN_TTL", "-1"),
        ("BUNSEN_TICK", "0"),
        ("BUNSEN_MEMORY", "0"),
        ("BUNSEN_MAX_BODY", "0"),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises((ValidationError, SettingsError)) as error:
        Settings()
    said = sentence(error.value)
    assert said.startswith(f"A setting is wrong: {name}"), said
    assert "source" not in said, "the library's words"
    assert "Value error" not in said, "likewise"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("BUNSEN_UIDS", value) for value in ("1000", "1000-1000", "50000-59999", "2000000000-2000000999")),
        ("BUNSEN_GRACE", "0"),
        ("BUNSEN_CPUS", "0.5"),
        ("BUNSEN_GPUS", "0"),
        ("BUNSEN_PUBLIC_URL", "https://lab.example:8443/bunsen/"),
        ("BUNSEN_TTL", "0"),
        ("BUNSEN_CORS_ORIGINS", "https://ui.example, http://[::1]:3000, app://x, *"),
    ],
)
def test_what_makes_sense_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    Settings()
