"""What clients ask before they log in."""

from typing import Any

import httpx
import pytest

import app.services.versions as versions

CLIENT = {"latest_version": "0.2.9", "min_version": "0.0.0"}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("versions/cli", CLIENT),
        ("versions/lib", CLIENT),
        ("versions/platform", {"latest_version": versions.PLATFORM, "min_version": versions.PLATFORM}),
        ("versions/chart", {"version": versions.PLATFORM}),
        ("log_handler", {"dsn": None, "environment": "production", "tags": {}}),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_versions_and_log_handler_need_no_token(
    client: httpx.AsyncClient, path: str, answer: dict[str, Any], slash: str
) -> None:
    got = await client.get(f"/api/v1/{path}{slash}")
    assert (got.status_code, got.json()) == (200, answer)
