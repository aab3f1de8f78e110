"""What is read and sent in the OpenAPI document has types that generators turn into those of a language."""

import json
import re
from typing import Any

import pytest

from tests.openapi.reading import keys, nodes, operations, references, schemas

WIDTHS = {"integer": "int64", "number": "double"}


def test_formats_are_named_only_where_they_are_true(document: dict[str, Any]) -> None:
    formats = {what["format"] for _, what in nodes(document) if isinstance(what.get("format"), str)}
    assert formats <= {"date-time", "binary", "password", "int64", "double"}
    for name, what in keys(document):
        key = name.rpartition(".")[2]
        if key == "uuid":
            assert what["pattern"] == "^[0-9a-f]{32}$", name
        if re.search(r"(^|_)(at|time)$", key):
            assert "date-time" in json.dumps(what), name


def test_every_number_says_how_wide_it_is(document: dict[str, Any]) -> None:
    """Go's, Java's and Rust's generators take 32 bits where nothing is said."""
    types = [(str(what.get("type")), what.get("format")) for _, what in nodes(document)]
    found = {(kind, width) for kind, width in types if kind in WIDTHS}
    assert found == set(WIDTHS.items())


def test_status_words_and_roles_are_enums(document: dict[str, Any]) -> None:
    assert set(schemas(document)["Status"]["enum"]) == {
        *("created", "resuming", "building", "scheduled", "starting", "running"),
        *("succeeded", "failed", "stopped", "unknown"),
    }
    for name, what in keys(document):
        key = name.rpartition(".")[2]
        if key in {"last_status", "status"} and not name.startswith(
            ("Problem", "Health", "Readiness", "Tensor")
        ):
            assert list(references(what)) == ["Status"], name
        if key == "role":
            assert set(references(what)) == {"Role"}, name


@pytest.mark.parametrize(
    ("ending", "media"),
    [
        ("_logs", "text/plain"),
        ("_log_lines", "application/x-ndjson"),
        ("_log_events", "text/event-stream"),
    ],
)
def test_each_form_of_a_log_is_an_operation_with_one_media_type(
    document: dict[str, Any], ending: str, media: str
) -> None:
    found = [o for o in operations(document) if o.name.startswith("get_") and o.name.endswith(ending)]
    assert len(found) == 3  # an experiment's, a job's, a build's
    for operation in found:
        assert list(operation.body["responses"]["200"]["content"]) == [media]


def test_archives_and_files_are_binary(document: dict[str, Any]) -> None:
    found = {o.name: o for o in operations(document) if o.name.startswith("download_")}
    assert len(found) == 5
    for name, operation in found.items():
        media = "application/octet-stream" if name == "download_output_file" else "application/gzip"
        content = operation.body["responses"]["200"]["content"]
        assert list(content) == [media], name
        assert content[media]["schema"] == {"type": "string", "format": "binary"}, name


def test_no_union_holds_a_reference_with_siblings_or_a_union(document: dict[str, Any]) -> None:
    for at, what in nodes(document):
        for choice in [*what.get("anyOf", []), *what.get("oneOf", [])]:
            assert "$ref" not in choice or len(choice) == 1, at
            assert not {"anyOf", "oneOf"} & choice.keys(), at


def test_only_null_is_in_an_any_of(document: dict[str, Any]) -> None:
    """Rust's generator makes an empty struct of any other. A `oneOf` has a name, which generators keep."""
    for at, what in nodes(document):
        if "anyOf" in what:
            assert len(what["anyOf"]) == 2, at
            assert {"type": "null"} in what["anyOf"], at
        assert "discriminator" not in what, at  # its structs would miss the key
        if "oneOf" in what:
            assert re.fullmatch(r"#/components/schemas/\w+", at), at


def test_every_free_object_has_a_named_type(document: dict[str, Any]) -> None:
    for name, what in keys(document):
        assert what.get("additionalProperties") is not True, name
        assert what != {}, name
