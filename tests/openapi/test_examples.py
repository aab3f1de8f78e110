"""The examples in the document are true: each is sent, and is answered as the document says."""

import io
import re
import tarfile
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.db.engine import Sessions, transaction
from app.services.passwords import hash_password
from app.services.users import set_password
from app.settings import Settings
from tests.openapi.conftest import described
from tests.openapi.reading import Operation, examples, operations, validator
from tests.people import Person

DOCUMENT = described()
OPERATIONS = {operation.name: operation for operation in operations(DOCUMENT)}
# Whoever makes something is first, whoever deletes it last; the rest goes by the order of the document.
FIRST = ["create_user_token", "create_project", "upload_code", "create_experiment", "update_experiment"]
FIRST += ["stop_experiment", "restart_experiment", "resume_experiment", "copy_experiment", "grant_superuser"]
FIRST += ["create_code_reference"]
LAST = ["delete_code", "delete_experiment", "delete_project", "revoke_superuser", "delete_user"]
# Theirs is the experiment that the example makes; all others have one that is only tracked.
LAUNCHED = {"update_experiment", "stop_experiment", "restart_experiment", "resume_experiment"}
LAUNCHED |= {"copy_experiment", "download_experiment_code"}
# What nothing is there of while no reconciler runs: answered by a problem.
AWAY = {"start_tensorboard": 503, "get_build": 404, "list_build_statuses": 404, "get_experiment_job": 404}
AWAY |= {"list_experiment_job_statuses": 404, "create_job_log_ticket": 404, "download_output_file": 404}
AWAY |= {f"get_{kind}_log{form}": 404 for kind in ("job", "build") for form in ("s", "_lines", "_events")}
AWAY |= {"list_output_files": 404, "download_build_code": 404}


@dataclass
class World:
    """Who calls, and which experiments there are by now."""

    http: httpx.AsyncClient
    launched: int = 0
    tracked: int = 0

    async def send(self, operation: Operation) -> httpx.Response:
        """The operation with the examples of all its parameters, and of its body."""
        sent: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
        for parameter in operation.body.get("parameters", []):
            sent[parameter["in"]][parameter["name"]] = examples(DOCUMENT, parameter)[0]
        sent["path"]["id"] = self.launched if operation.name in LAUNCHED else self.tracked
        sent["query"].pop("job", None)  # no job was made
        if operation.name != "create_experiment":  # a key is one call's, and all have the same example
            sent["header"].pop("Idempotency-Key", None)
        path = re.sub(r"\{(\w+)\}", lambda name: str(sent["path"][name[1]]), operation.path)
        headers = {name: str(value) for name, value in sent["header"].items()}
        return await self.http.request(
            operation.method, path, params=sent["query"], headers=headers, **self._body(operation)
        )

    def _body(self, operation: Operation) -> dict[str, Any]:
        content = operation.body.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in content:
            return {"files": {"repo": ("code.tar.gz", archive())}}
        return {"json": examples(DOCUMENT, content["application/json"])[0]} if content else {}


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("model.py"), io.BytesIO())
    return packed.getvalue()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"tensorboard_start": 0.1})


@pytest.fixture
async def world(root: Person, ada: Person, client: httpx.AsyncClient, sessions: Sessions) -> World:
    hashed = await hash_password("correct horse battery staple")
    async with transaction(sessions) as session:
        await set_password(session, "root", hashed)
    http = httpx.AsyncClient(transport=client._transport, base_url=client.base_url)
    return World(http)


async def test_every_example_is_taken_and_answered_as_documented(world: World) -> None:
    rest = [name for name in OPERATIONS if name not in {*FIRST, *LAST}]
    for name in [*FIRST, *rest, *LAST]:
        operation = OPERATIONS[name]
        answer = await world.send(operation)
        if name == "create_user_token":
            world.http.headers["Authorization"] = f"token {answer.json()['token']}"
        if name == "create_experiment":
            world.launched = answer.json()["id"]
            made = await world.http.post("/api/v1/root/quick-start/experiments", json={})
            world.tracked = made.json()["id"]
        check(operation, answer)


def check(operation: Operation, answer: httpx.Response) -> None:
    """Of the documented form, and what is wanted."""
    name = operation.name
    status = answer.status_code
    assert str(status) in operation.body["responses"], (name, status, answer.text)
    assert status == AWAY.get(name, status if status < 400 else "a success"), (name, status, answer.text)
    content = operation.body["responses"][str(status)].get("content")
    if content is None:
        assert answer.content == b"", name
        return
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in content, (name, media)
    if media in {"application/json", "application/problem+json"}:
        errors = validator(DOCUMENT, content[media]["schema"]).iter_errors(answer.json())
        assert [error.message for error in errors] == [], name
