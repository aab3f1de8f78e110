"""The OpenAPI document holds what generators and their users need."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from fastapi.routing import APIRoute

from app.main import create_app
from app.settings import Settings
from tests.embedded.processes import ROOT
from tests.openapi.reading import (
    Operation,
    examples,
    keys,
    operations,
    parameters,
    reached,
    references,
    schemas,
    validator,
)

COPY = Path(ROOT) / "deploy" / "openapi.json"
VERBS = {
    *("get", "list", "create", "update", "delete", "activate", "grant", "revoke", "bookmark", "unbookmark"),
    *("stop", "start", "restart", "resume", "copy", "download", "upload", "send", "follow"),
}
OPEN = {
    *("create_user_token", "get_cli_version", "get_platform_version", "get_library_version"),
    *("get_chart_version", "get_log_handler", "get_health", "get_readiness"),
}
PAGE = {"count", "next", "previous", "results"}


def printed(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def test_the_copy_in_the_tree_is_the_document(document: dict[str, Any]) -> None:
    """`python -m tests.openapi.write` writes it anew."""
    assert COPY.read_text() == printed(document)


async def test_the_document_that_is_served_is_this_one(
    document: dict[str, Any], client: httpx.AsyncClient
) -> None:
    answer = await client.get("/openapi.json")
    assert answer.json() == document


def test_it_is_of_version_3_1_and_says_what_the_service_is(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    info = document["info"]
    assert info["license"]["identifier"] == "Apache-2.0"
    assert info["contact"]["name"]
    assert len(info["description"]) > 500
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_each_path_is_named_once_without_a_slash_at_its_end(document: dict[str, Any]) -> None:
    shapes = [re.sub(r"\{[^}]*\}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes))
    assert [path for path in document["paths"] if path.endswith("/") or "//" in path] == []


def test_operation_ids_are_snake_case_verbs_and_unique(document: dict[str, Any]) -> None:
    names = [operation.name for operation in operations(document)]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    assert {name.split("_")[0] for name in names} - VERBS == set()


def test_operation_ids_are_the_names_of_the_routes_functions(document: dict[str, Any]) -> None:
    settings = Settings(database_url="postgresql+asyncpg://nobody@127.0.0.1/none")
    names = {route.endpoint.__name__ for route in create_app(settings).routes if isinstance(route, APIRoute)}
    assert {operation.name for operation in operations(document)} <= names


def test_every_operation_has_one_tag_and_every_tag_a_description(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert [o.name for o in operations(document) if len(o.body["tags"]) != 1] == []
    assert {tag for o in operations(document) for tag in o.body["tags"]} == described


def test_every_operation_has_a_summary_and_a_description(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert operation.body["summary"], operation.name
        assert "\n" not in operation.body["summary"], operation.name
        assert operation.body["description"], operation.name


def test_every_response_is_described(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert operation.answers, operation.name
        for status, response in operation.body["responses"].items():
            assert response["description"], (operation.name, status)


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    """Shown by one of its status; a 400 by the schema's own."""
    schema = {"$ref": "#/components/schemas/Problem"}
    for operation in operations(document):
        assert {"4XX", "5XX"} <= operation.errors.keys(), operation.name
        assert "422" not in operation.errors, operation.name
        for status, response in operation.errors.items():
            if status == "304":
                continue
            ((media, content),) = response["content"].items()
            assert (media, content["schema"]) == ("application/problem+json", schema), (
                operation.name,
                status,
            )
            for name in content.get("examples", {}):
                shown = document["components"]["examples"][name]["value"]
                assert shown["code"] == name
                assert re.fullmatch(status.replace("X", "."), str(shown["status"])), (operation.name, status)
                validator(document, schemas(document)["Problem"]).validate(shown)
            assert content.get("examples") or status == "400", (operation.name, status)


def test_operations_name_the_errors_that_they_can_answer(document: dict[str, Any]) -> None:
    for operation in operations(document):
        if operation.body["security"]:
            assert "401" in operation.errors, operation.name
        if "requestBody" in operation.body:
            assert {"400", "413"} <= operation.errors.keys(), operation.name
        if "{id}" in operation.path or "{job_id}" in operation.path:
            assert "404" in operation.errors, operation.name


def test_what_an_operation_takes_and_who_calls_it_tell_its_errors(document: dict[str, Any]) -> None:
    """An id may be none, and a token may be a job's, which opens little."""
    for operation in operations(document):
        ids = [p for p in operation.body.get("parameters", []) if p["schema"].get("type") == "integer"]
        assert "400" in operation.errors or not ids, operation.name
        assert ("403" in operation.errors) == bool(operation.body["security"]), operation.name


def test_every_code_of_an_error_is_named(document: dict[str, Any]) -> None:
    sources = [path.read_text() for path in (Path(ROOT) / "app").rglob("*.py")]
    raised = {code for text in sources for code in re.findall(r'\bcode ?= ?"(\w+)"', text)}
    said = schemas(document)["Problem"]["properties"]["code"]["description"]
    named = set(said.partition(". ")[2].removesuffix(".").split(", "))
    assert named == raised | {"invalid_query", "invalid_sort"}


def test_both_schemes_open_what_needs_a_token_and_open_operations_say_so(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["token"]["type"] == "apiKey"
    assert schemes["bearer"]["scheme"] == "bearer"
    for operation in operations(document):
        expected: list[Any] = [] if operation.name in OPEN else [{"bearer": []}, {"token": []}]
        assert operation.body["security"] == expected, operation.name


async def test_what_needs_a_token_answers_401_without_one(
    document: dict[str, Any], client: httpx.AsyncClient
) -> None:
    for operation in operations(document):
        path = re.sub(r"\{(id|job_id)\}", "1", operation.path).replace("{", "").replace("}", "")
        answer = await client.request(operation.method.upper(), path)
        assert (answer.status_code == 401) == (operation.name not in {*OPEN, "create_user_token"}), operation
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"], operation


def test_the_parameters_of_a_path_are_first_and_in_its_order(document: dict[str, Any]) -> None:
    for operation in operations(document):
        named = [p["name"] for p in operation.body.get("parameters", []) if p["in"] == "path"]
        assert named == re.findall(r"\{([^}]*)\}", operation.path), operation.name
        first = operation.body.get("parameters", [])[: len(named)]
        assert {p["in"] for p in first} <= {"path"}, operation.name


def test_every_parameter_and_key_is_described_with_an_example(document: dict[str, Any]) -> None:
    said = [*keys(document), *parameters(document)]
    assert [name for name, what in said if not described(document, what)] == []
    assert [name for name, what in said if not examples(document, what)] == []


def described(document: dict[str, Any], what: dict[str, Any]) -> bool:
    if "$ref" in what:
        return bool(schemas(document)[next(references(what))].get("description"))
    return bool(what.get("description"))


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    for name, what in [*keys(document), *parameters(document), *schemas(document).items()]:
        check = validator(document, what.get("schema", what))
        for example in examples(document, what):
            errors = [error.message for error in check.iter_errors(example)]
            assert errors == [], (name, example)


def test_every_example_of_an_answer_is_valid(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for answer in operation.answers.values():
            for said in answer.get("content", {}).values():
                check = validator(document, said["schema"])
                errors = [
                    error.message for one in examples(document, said) for error in check.iter_errors(one)
                ]
                assert errors == [], operation.name


def test_nothing_is_said_of_papers_that_its_readers_do_not_have(document: dict[str, Any]) -> None:
    assert re.findall(r"\w+\.md\b", printed(document)) == []


def test_every_body_and_answer_of_json_has_an_example(document: dict[str, Any]) -> None:
    for operation in operations(document):
        contents = [answer.get("content", {}) for answer in operation.answers.values()]
        contents.append(operation.body.get("requestBody", {}).get("content", {}))
        for content in contents:
            for media, said in content.items():
                if media == "application/json":
                    assert examples(document, said), (operation.name, media)


def test_a_schema_that_is_read_lists_all_its_keys_as_required(document: dict[str, Any]) -> None:
    for name in read(document):
        schema = schemas(document)[name]
        assert set(schema.get("properties", {})) == set(schema.get("required", [])), name


def test_what_is_sent_and_what_is_read_have_schemas_of_their_own(document: dict[str, Any]) -> None:
    sent = reached(document, [operation.body.get("requestBody", {}) for operation in operations(document)])
    both = {name for name in sent & read(document) if schemas(document)[name].get("properties")}
    assert both == set()


def read(document: dict[str, Any]) -> set[str]:
    return reached(document, [[*o.answers.values(), *o.errors.values()] for o in operations(document)])


def test_schemas_have_names_that_generators_keep(document: dict[str, Any]) -> None:
    assert [name for name in schemas(document) if not re.fullmatch(r"([A-Z][a-z]+)+", name)] == []


def test_no_schema_is_unused_and_none_is_missing(document: dict[str, Any]) -> None:
    assert reached(document, document["paths"]) == set(schemas(document))
    assert set(references(document)) == set(schemas(document))


def test_no_two_schemas_are_one_thing(document: dict[str, Any]) -> None:
    shapes: dict[str, str] = {}
    for name, schema in schemas(document).items():
        if schema.get("properties"):
            bare = {
                key: {word: said for word, said in value.items() if word not in {"description", "examples"}}
                for key, value in schema["properties"].items()
            }
            shape = json.dumps([bare, schema.get("required")], sort_keys=True)
            assert shapes.setdefault(shape, name) == name


def test_every_page_has_a_type_of_its_own(document: dict[str, Any]) -> None:
    pages = {name for name, schema in schemas(document).items() if set(schema.get("properties", {})) == PAGE}
    assert pages == {name for name in schemas(document) if name.endswith("Page")}
    for name in pages:
        row = schemas(document)[name]["properties"]["results"]["items"]["$ref"].rpartition("/")[2]
        assert row.startswith(name.removesuffix("Page"))


def test_lists_are_paged_with_bounds_and_defaults(document: dict[str, Any]) -> None:
    paged = [operation for operation in operations(document) if answers_page(operation)]
    assert len(paged) >= 8
    for operation in paged:
        found = {p["name"]: p["schema"] for p in operation.body["parameters"] if p["in"] == "query"}
        expected = 1000 if operation.name == "list_experiment_metrics" else 20
        limit = found["limit"]
        assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 1000, expected), operation.name
        assert (found["offset"]["minimum"], found["offset"]["default"]) == (0, 0), operation.name


def answers_page(operation: Operation) -> bool:
    return any(name.endswith("Page") for name in references(operation.answers))
