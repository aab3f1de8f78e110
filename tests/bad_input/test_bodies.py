"""Whatever is wrong with a body, every call that takes one answers a clear 400 and changes nothing.

The calls, and a good body of each to spoil, are those of the OpenAPI document.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.bad_input.conftest import Lab
from tests.bad_input.spoiling import texts, without
from tests.openapi.conftest import described
from tests.openapi.reading import Operation, examples, operations

MEDIA = "application/json"
DOCUMENT = described()
TAKING = {
    operation.name: operation
    for operation in operations(DOCUMENT)
    if MEDIA in operation.body.get("requestBody", {}).get("content", {})
    and operation.name != "start_tensorboard"  # it ignores its body, and waits for a page
}
NUL, LONE = "nul \0 nul", "lone \ud800 surrogate"


def good_body(operation: Operation) -> Any:
    return examples(DOCUMENT, operation.body["requestBody"]["content"][MEDIA])[0]


async def send(lab: Lab, operation: Operation, content: bytes) -> httpx.Response:
    values = {"username": "ada", "project_name": "lab", "id": lab.id}
    path = operation.path.removeprefix("/api/v1").format(**values)
    headers = {"Content-Type": MEDIA}
    return await lab.owner.http.request(operation.method.upper(), path, content=content, headers=headers)


def refused(answer: httpx.Response) -> list[dict[str, Any]]:
    """The places that a refusal names."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert problem["detail"]
    places: list[dict[str, Any]] = problem["errors"]
    assert places
    return places


def test_there_are_calls_to_try() -> None:
    assert len(TAKING) >= 10


@pytest.mark.parametrize("name", TAKING)
async def test_a_nul_or_a_lone_surrogate_in_any_text_is_refused_with_its_place(lab: Lab, name: str) -> None:
    body = good_body(TAKING[name])
    before = await lab.state()
    spoiled_bodies = list(_spoiled(body))
    if isinstance(body, dict) and "metric" not in name:  # there, what is no known key is passed over unread
        spoiled_bodies += [([], body | {NUL: 1}), ([], body | {"unknown": {LONE: 1}})]
    for place, spoiled in spoiled_bodies:
        answer = await send(lab, TAKING[name], json.dumps(spoiled).encode())
        named = [error["loc"] for error in refused(answer)]
        assert any(names(loc, place) for loc in named), (place, named)
    assert await lab.state() == before


def names(loc: list[str | int], place: list[str | int]) -> bool:
    """Whether an error is of that place: the key, or the byte where the text stops being JSON."""
    if loc[0] == "body" and len(loc) == 2 and isinstance(loc[1], int):
        return True
    bare = loc[1:] if loc[0] == "body" else loc
    return bare[: len(place)] == place or place[: len(bare)] == bare


def _spoiled(body: Any) -> Iterator[tuple[list[str | int], Any]]:
    found = list(texts(body))
    assert found or not isinstance(body, str)
    for place in found:
        yield place, without(body, place, NUL)
        yield place, without(body, place, LONE)


MALFORMED = {
    "cut off": b'{"a": 1',
    "two values": b"{} {}",
    "a comment": b"{} // no",
    "no UTF-8": b'{"a": "\xff"}',
    "single quotes": b"{'a': 1}",
    "nested 10,000 deep": b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "objects 10,000 deep": b'{"a": ' * 10_000 + b"1" + b"}" * 10_000,
    "open 10,000 deep": b"[" * 10_000,
    "1e400": b'{"a": 1e400}',
    "-1e400": b'{"a": {"b": [-1e400]}}',
    "an integer of 400 digits": b'{"a": ' + b"9" * 400 + b"}",
    "an integer of 30 digits": b'{"a": ' + b"9" * 30 + b"}",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_json_that_cannot_be_kept_is_refused_by_every_call(lab: Lab, case: str) -> None:
    before = await lab.state()
    for operation in TAKING.values():
        refused(await send(lab, operation, MALFORMED[case]))
    assert await lab.state() == before


@pytest.mark.parametrize(
    ("content", "position", "said"),
    [
        (b'{"a":\n 1', 8, "(line 2, column 3)"),
        (b'{"a": "\xc3\xb6\xff"}', 9, "is not UTF-8: its byte 9, counted from 0, is 0xff"),
        ('{"a": 1}'.encode("utf-16"), 0, "is not UTF-8: its byte 0, counted from 0, is 0xff"),
        (b'\xef\xbb\xbf{"a": 1}', 0, "begins with a byte order mark; send it without one"),
    ],
)
async def test_what_is_no_json_is_told_in_words_with_its_place(
    lab: Lab, content: bytes, position: int, said: str
) -> None:
    for name in ("create_experiment", "create_experiment_metric"):
        answer = await send(lab, TAKING[name], content)
        (place,) = refused(answer)
        assert place["loc"] == ["body", position]
        assert place["msg"].endswith(said), name
        assert answer.json()["detail"] == f"The body {place['msg']}."


@pytest.mark.parametrize("text", ["", " \n# nothing", "null"])
async def test_a_config_without_a_spec_is_told_as_such(lab: Lab, text: str) -> None:
    answer = await send(lab, TAKING["create_experiment"], json.dumps({"config": text}).encode())
    assert [place["loc"] for place in refused(answer)] == [["config"]]
    assert "is a text without a spec in it; leave `config` out" in answer.json()["detail"]


@pytest.mark.parametrize("token", [b"NaN", b"Infinity", b"-Infinity"])
async def test_nan_and_infinities_are_kept_in_metrics_alone(lab: Lab, token: bytes) -> None:
    for name, operation in TAKING.items():
        answer = await send(lab, operation, b'{"a": ' + token + b"}")
        assert answer.status_code == 400, name
    kept = await send(lab, TAKING["create_experiment_metric"], b'{"values": {"a": ' + token + b"}}")
    assert (kept.status_code, kept.json()["values"]) == (201, {"a": token.decode()})


async def test_a_number_too_large_is_refused_in_metrics_too(lab: Lab) -> None:
    for operation in (TAKING["create_experiment_metric"], TAKING["create_experiment_metric_batch"]):
        for number in (b"1e400", b"-1e400", b'"1e400"'):
            point = b'{"values": {"a": ' + number + b"}}"
            sent = point if operation.name.endswith("metric") else b'{"points": [' + point + b"]}"
            refused(await send(lab, operation, sent))
    assert (await lab.owner.http.get(f"{lab.path}/metrics")).json()["count"] == 0


@pytest.mark.parametrize("name", TAKING)
async def test_a_body_of_another_kind_is_refused(lab: Lab, name: str) -> None:
    for content in (b"7", b"true", b'{"a"}'):
        refused(await send(lab, TAKING[name], content))


@pytest.mark.parametrize("config", [5, [], True])
async def test_a_spec_of_another_kind_is_one_mistake_at_one_place(lab: Lab, config: object) -> None:
    for name in ("create_experiment", "update_experiment", "restart_experiment"):
        body = json.dumps({"config": config}).encode()
        assert [place["loc"] for place in refused(await send(lab, TAKING[name], body))] == [["config"]]


async def test_a_login_without_a_body_is_refused(lab: Lab) -> None:
    refused(await send(lab, TAKING["create_user_token"], b""))


async def test_nul_in_a_form_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/users/token", data={"username": "a\0", "password": "b"})
    assert answer.status_code in {400, 401}


async def test_what_was_rejected_is_not_repeated(lab: Lab) -> None:
    secret = "correct horse \0 battery"
    answer = await send(
        lab, TAKING["create_user_token"], json.dumps({"username": "ada", "password": secret}).encode()
    )
    refused(answer)
    assert "horse" not in answer.text
