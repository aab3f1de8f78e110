"""Whatever stands in a path or a query, the answer is a clear 4XX, or 200 where nothing is wrong with it."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.bad_input.conftest import Lab
from tests.live import Live
from tests.openapi.conftest import described
from tests.openapi.reading import operations
from tests.people import Person

DOCUMENT = described()
IDS = ["9" * 30, "-" + "9" * 30, "9223372036854775808", "0", "-1", "1.5", "1e3", "%00", "%ED%A0%80", "x", "٣"]
NAMES = ["%2e%2e", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "a%00b", "%ED%A0%80", "a" * 10_000, "%20"]
TEXTS = ["%00", "a%00b", "%ED%A0%80", "%FF", "a" * 40_000, "'", '"', "%", "..%2f..", "1e400", "NaN", "9" * 30]


def get_operations() -> list[Any]:
    return [operation for operation in operations(DOCUMENT) if operation.method == "get"]


@pytest.mark.parametrize("number", IDS)
async def test_an_id_that_is_none_is_a_clear_error(lab: Lab, number: str) -> None:
    for operation in operations(DOCUMENT):
        if "{id}" not in operation.path:
            continue
        path = operation.path.removeprefix("/api/v1").replace("{id}", quote(number, safe="%"))
        path = path.format(username="ada", project_name="lab", job_id=1, path="a")
        content = {"content": b"{}", "headers": {"Content-Type": "application/json"}}
        options: Any = content if "requestBody" in operation.body else {}
        answer = await lab.owner.http.request(operation.method.upper(), path, **options)
        assert answer.status_code in {400, 404}, (operation.name, answer.text)
        assert answer.json()["detail"]
    assert (await lab.owner.http.get(lab.path)).status_code == 200


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_looks_like_a_path_or_is_no_text_finds_nothing(lab: Lab, name: str) -> None:
    for operation in get_operations():
        for part in ("username", "project_name"):
            if f"{{{part}}}" not in operation.path or operation.path.endswith("{path}"):
                continue
            path = operation.path.removeprefix("/api/v1").replace(f"{{{part}}}", name)
            path = path.format(username="ada", project_name="lab", id=lab.id, job_id=1)
            answer = await lab.owner.http.get(path)
            assert answer.status_code in {200, 400, 404}, (operation.name, answer.text)
            assert "root:" not in answer.text
            if answer.status_code == 200:  # another user's bookmarks are an empty list, whoever that is
                assert answer.json()["results"] == []


async def test_each_mistake_in_a_path_is_named_once(lab: Lab) -> None:
    for path in (f"{lab.path}/jobs/x/logs", f"{lab.path}/jobs/x/logs/events", f"{lab.path}/jobs/x/statuses"):
        answer = await lab.owner.http.get(path)
        assert answer.status_code == 400
        assert [error["loc"] for error in answer.json()["errors"]] == [["path", "job_id"]]


async def test_unknown_users_are_404_wherever_they_stand(lab: Lab, root: Person) -> None:
    for path in ("/nobody", "/nobody/lab", "/nobody/lab/experiments", f"/nobody/lab/experiments/{lab.id}"):
        assert (await root.http.get(path)).status_code == 404
    for method, path in (
        ("POST", "/users/activate/nobody"),
        ("DELETE", "/users/delete/nobody"),
        ("POST", "/superusers/grant/nobody"),
        ("POST", "/superusers/revoke/nobody"),
    ):
        assert (await root.http.request(method, path)).status_code == 404
    assert (await root.http.get("/bookmarks/nobody/experiments")).json()["results"] == []


@pytest.mark.parametrize("name", ["../etc", "..", ".", "a/b", "/", "a\\b", "C:", "a b", "ü", "", "a" * 129])
async def test_a_name_that_looks_like_a_path_is_refused(lab: Lab, name: str) -> None:
    project = await lab.owner.http.post("/projects", json={"name": name})
    experiment = await lab.owner.http.post("/ada/lab/experiments", json={"name": name})
    for answer in (project, experiment):
        assert answer.status_code == 400
        assert [error["loc"][-1] for error in answer.json()["errors"]] == ["name"]
    assert (await lab.owner.http.get("/ada")).json()["count"] == 1
    assert (await lab.owner.http.get("/ada/lab/experiments")).json()["count"] == 1


async def test_an_offset_past_the_end_is_an_empty_page(lab: Lab) -> None:
    paged = [o for o in get_operations() if "offset" in {p["name"] for p in o.body.get("parameters", [])}]
    assert len(paged) >= 8
    for operation in paged:
        values = {"username": "ada", "project_name": "lab", "id": lab.id}
        if "{job_id}" in operation.path or "builds/{id}" in operation.path or "logs" in operation.path:
            continue
        path = operation.path.removeprefix("/api/v1").format(**values)
        for past in (1_000_000, 2**63 - 1):
            answer = await lab.owner.http.get(path, params={"offset": past})
            assert answer.status_code == 200, (operation.name, answer.text)
            assert answer.json()["results"] == []
        for offset in ("-1", "9" * 30, "x", "NaN"):
            answer = await lab.owner.http.get(path, params={"offset": offset})
            assert answer.status_code == 400, (operation.name, answer.text)
            assert answer.json()["errors"][0]["loc"] == ["query", "offset"]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "9" * 30, "x", "", "1.5"])
async def test_a_limit_that_is_none_is_refused_with_its_place(lab: Lab, limit: str) -> None:
    answer = await lab.owner.http.get("/ada/lab/experiments", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["query", "limit"]


@pytest.mark.parametrize("text", TEXTS)
async def test_no_text_in_any_query_breaks_a_call(lab: Lab, text: str) -> None:
    values = {"username": "ada", "project_name": "lab", "id": lab.id, "job_id": 1, "path": "a"}
    for operation in get_operations():
        for parameter in operation.body.get("parameters", []):
            if parameter["in"] != "query":
                continue
            path = operation.path.removeprefix("/api/v1").format(**values)
            answer = await lab.owner.http.get(f"{path}?{parameter['name']}={text}")
            assert answer.status_code < 500, (operation.name, parameter["name"], answer.text)


@pytest.mark.parametrize("head", ["GET /api/v1/experiments?sort=" + "a" * 70_000, "no http"])
async def test_what_cant_be_read_as_a_request_is_a_problem_too(live: Live, head: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    writer.write(f"{head} HTTP/1.1\r\nHost: bunsen.test\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "invalid"
