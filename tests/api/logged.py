"""Metrics as tests log and read them."""

from typing import Any

from tests.people import Person


async def log(person: Person, path: str, **point: Any) -> dict[str, Any]:
    answer = await person.http.post(f"{path}/metrics", json=point)
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


async def rows_of(person: Person, path: str) -> list[dict[str, Any]]:
    answer = await person.http.get(f"{path}/metrics")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


async def last_metric(person: Person, path: str) -> Any:
    return (await person.http.get(path)).json()["last_metric"]
