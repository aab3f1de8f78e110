"""How bodies are read, on every route that takes one."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.requests import StrictRoute
from tests.people import Person

# The upload reads its multipart body itself, bounded; what is passed on to a TensorBoard is not ours.
STREAMED = {"upload_code", "go_to_page", "pass_on"}


async def test_every_route_reads_its_body_strictly(app: FastAPI) -> None:
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    loose = {
        route.name for route in routes if isinstance(route, APIRoute) and not isinstance(route, StrictRoute)
    }
    assert loose <= STREAMED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"name": "a"', "invalid"),
        ('{"name": NaN}', "invalid"),
        ('{"name": "a", "x": 1e400}', "invalid"),
        ('{"name": "\\ud800"}', "invalid"),
        ('{"name": "a", "description": "\\u0000"}', "invalid"),
        ("[" * 10_000 + "]" * 10_000, "invalid"),
        ('{"name": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}", "invalid"),
        ("[]", "invalid"),
        ("7", "invalid"),
        ("", "invalid"),
        ('{"name": "a"}\x00', "invalid"),
        ("\xff", "invalid"),
    ],
)
async def test_a_body_that_cannot_be_kept_is_refused(ada: Person, body: str, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await ada.http.post("/projects", content=body.encode("latin-1"), headers=headers)
    assert answer.status_code == 400
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    assert problem["errors"]


async def test_a_body_over_the_limit_is_refused_before_it_is_read(ada: Person) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(50 * 1024**2)}
    answer = await ada.http.post("/projects", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", None])
async def test_a_body_that_is_not_sent_as_json_is_told_how(ada: Person, media: str | None) -> None:
    answer = await ada.http.post(
        "/projects", content=b'{"name": "a"}', headers={} if media is None else {"Content-Type": media}
    )
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (400, ["header", "content-type"])
    assert "application/json" in answer.json()["detail"]
