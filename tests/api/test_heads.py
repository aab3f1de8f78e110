"""HEAD gives the head of a GET, whatever it is of."""

import asyncio

import httpx
import pytest

from tests.people import Person

OWN = {"x-request-id"}


@pytest.fixture
async def there(ada: Person) -> str:
    """The path of an experiment that goes on, with a line in its log."""
    assert (await ada.http.post("/projects", json={"name": "lab"})).status_code == 201
    made = await ada.http.post("/ada/lab/experiments", json={})
    path = f"/ada/lab/experiments/{made.json()['id']}"
    assert (await ada.http.post(f"{path}/logs", json={"lines": ["one"]})).status_code == 201
    return path


def shape(answer: httpx.Response) -> tuple[int, dict[str, str]]:
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in OWN}


@pytest.mark.parametrize("below", ["", "//metrics/", "/logs", "/outputs", "/outputs/files/nothing", "/stop"])
async def test_a_head_is_that_of_the_get(ada: Person, there: str, below: str) -> None:
    got = await ada.http.get(there + below)
    head = await ada.http.head(there + below)
    assert shape(head) == shape(got)
    assert head.content == b""


async def test_nobody_gets_more_by_it(client: httpx.AsyncClient, there: str) -> None:
    assert (await client.head(f"/api/v1{there}")).status_code == 401
    assert (await client.head("/healthz")).status_code == 200


async def test_a_log_that_is_followed_is_not_waited_for(ada: Person, there: str) -> None:
    async with asyncio.timeout(20):
        head = await ada.http.head(f"{there}/logs/events?follow=true")
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("text/event-stream")
