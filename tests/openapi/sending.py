"""Sends the document's examples, and compares answers with its examples."""

import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.api.openapi_answers import HISTORIES
from tests.openapi.conftest import described
from tests.openapi.reading import Operation, examples, operations, validator

DOCUMENT = described()
OPERATIONS = {operation.name: operation for operation in operations(DOCUMENT)}
CODE = {
    "requirements.txt": "",
    "train.py": """\
import os, pathlib
folder = pathlib.Path(os.environ["POLYAXON_RUN_OUTPUTS_PATH"], "checkpoints")
folder.mkdir()
(folder / "model.pt").write_bytes(bytes(1024))
print("epoch 1: loss 0.31")
""",
}
"""What the examples' experiment runs."""

JSON = {"application/json", "application/problem+json"}
# What no example can know: ids, secrets, addresses, sizes. Times, too, by the ends of their keys.
UNKNOWN = {"id", "uuid", "token", "ticket", "url", "sha256", "size", "hash", "environment", "node_scheduled"}
IDS = {"experiment", "job", "build", "unique_name", "original", "build_job"}
# What is shown of them is a part of what they hold.
PARTS = {"definition"}
CHANCE = {"details"}  # which facts a row has tells when they were looked for


@dataclass
class World:
    """Who calls, and what the examples' ids stand for by now."""

    http: httpx.AsyncClient
    ids: dict[str, int] = field(default_factory=dict)

    async def send(self, operation: Operation) -> httpx.Response:
        """The operation with the examples of all its parameters, and of its body."""
        sent: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
        for parameter in operation.body.get("parameters", []):
            sent[parameter["in"]][parameter["name"]] = examples(DOCUMENT, parameter)[0]
        sent["path"] |= self.ids
        for key in ("job", "group", "ticket"):  # of things that are not there, or of another service
            sent["query"].pop(key, None)
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
        for name, text in CODE.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def check_form(operation: Operation, answer: httpx.Response) -> None:
    """It is of the documented form."""
    name = operation.name
    assert str(answer.status_code) in operation.body["responses"], (name, answer.status_code, answer.text)
    content = operation.body["responses"][str(answer.status_code)].get("content")
    if content is None:
        assert answer.content == b"", name
        return
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in content, (name, media)
    if media in JSON:
        errors = validator(DOCUMENT, content[media]["schema"]).iter_errors(answer.json())
        assert [error.message for error in errors] == [], name


def differences(operation: Operation, answer: httpx.Response) -> list[str]:
    """Where an answer of JSON is not as its example, but for what none can know."""
    content = operation.body["responses"][str(answer.status_code)].get("content", {})
    if "application/json" not in content:
        return []
    example = examples(DOCUMENT, content["application/json"])[0]
    given = answer.json()
    if operation.name in HISTORIES:  # a slow machine's have more rows
        shown = example["results"]
        rows = [row for row in given["results"] if any(not list(_compare(one, row)) for one in shown)]
        given = {**given, "count": len(rows), "results": rows}
    return [f"{operation.name}{place}" for place in _compare(example, given)]


def _compare(shown: Any, given: Any, key: str = "") -> Iterator[str]:
    if isinstance(shown, dict) and isinstance(given, dict):
        for name in shown if key in PARTS else {**shown, **given}:
            if (name in shown) != (name in given):
                yield f".{name} is in one alone"
            elif name not in CHANCE:
                yield from (f".{name}{rest}" for rest in _compare(shown[name], given[name], name))
    elif isinstance(shown, list) and isinstance(given, list) and len(shown) == len(given):
        for index, (one, other) in enumerate(zip(shown, given, strict=True)):
            yield from (f"[{index}]{rest}" for rest in _compare(one, other, key))
    elif _masked(shown, key) != _masked(given, key):
        yield f": {shown!r} is shown, {given!r} given"


def _masked(value: Any, key: str) -> Any:
    if value is None or isinstance(value, dict | list):
        return value
    if key in UNKNOWN or key.endswith("_at"):
        return "…"
    return re.sub(r"\d+", "…", str(value)) if key in IDS else value
