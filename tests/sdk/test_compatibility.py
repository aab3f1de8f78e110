"""No change of the document breaks the clients that were made of the released one."""

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.processes import ROOT
from tests.openapi.test_document import COPY
from tests.sdk.conftest import BIN, missing

RELEASED = Path(ROOT) / "deploy" / "openapi-released.json"
EXPERIMENTS = "/api/v1/{username}/{project_name}/experiments"
EXPERIMENT = f"{EXPERIMENTS}/{{id}}"

Json = dict[str, Any]


@pytest.fixture(scope="session")
def oasdiff() -> Path:
    program = BIN / "oasdiff"
    if not program.exists():
        missing("oasdiff is not installed: make install-contract")
    return program


def breaks(oasdiff: Path, base: Path, changed: Path) -> str:
    """What of the change breaks clients, or may; nothing if nothing does."""
    command: list[str | Path] = [oasdiff, "breaking", base, changed, "--fail-on", "WARN", "--color", "never"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout if done.returncode else ""


def test_clients_of_the_release_go_on_working(oasdiff: Path) -> None:
    """A change that is meant to break them belongs to a release, which copies deploy/openapi.json there and
    tells in CHANGELOG.md what to do."""
    assert breaks(oasdiff, RELEASED, COPY) == ""


def names(document: Json) -> set[tuple[str, ...]]:
    """What a generator makes of it: how methods, modules, arguments and types are called, and defaults."""
    found: set[tuple[str, ...]] = {("schema", name) for name in document["components"]["schemas"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            arguments = [parameter["name"] for parameter in operation.get("parameters", [])]
            found |= {("argument", method, path, name) for name in arguments}
            for parameter in operation.get("parameters", []):
                if "default" in parameter["schema"]:
                    value = json.dumps(parameter["schema"]["default"])
                    found.add(("default", method, path, parameter["name"], value))
            found.add(("operation", method, path, operation["operationId"], *operation["tags"]))
    return found


def test_what_was_released_keeps_its_name_and_its_default() -> None:
    """oasdiff compares what goes over the wire; a client has these, too."""
    released, now = (json.loads(path.read_text()) for path in (RELEASED, COPY))
    assert names(released) - names(now) == set()


def rename_an_operation(document: Json) -> None:
    document["paths"][EXPERIMENT]["get"]["operationId"] = "read_experiment"


def rename_a_schema(document: Json) -> None:
    schemas = document["components"]["schemas"]
    schemas["Run"] = schemas.pop("Experiment")


def rename_a_tag(document: Json) -> None:
    document["paths"][EXPERIMENT]["get"]["tags"] = ["runs"]


def rename_an_argument(document: Json) -> None:
    document["paths"][EXPERIMENT]["get"]["parameters"][0]["name"] = "owner"


def change_a_default(document: Json) -> None:
    parameters = document["paths"][EXPERIMENTS]["get"]["parameters"]
    limit = next(parameter for parameter in parameters if parameter["name"] == "limit")
    limit["schema"]["default"] = 50


@pytest.mark.parametrize(
    "change", [change_a_default, rename_an_operation, rename_a_schema, rename_a_tag, rename_an_argument]
)
def test_another_name_is_told(change: Callable[[Json], None]) -> None:
    document = json.loads(COPY.read_text())
    change(document)
    assert names(json.loads(COPY.read_text())) - names(document)


def drop_operation(document: Json) -> None:
    del document["paths"][EXPERIMENT]["get"]


def drop_key(document: Json) -> None:
    schema = document["components"]["schemas"]["Experiment"]
    del schema["properties"]["last_status"]
    schema["required"].remove("last_status")


def require_a_parameter(document: Json) -> None:
    parameter = {"name": "reason", "in": "query", "required": True, "schema": {"type": "string"}}
    document["paths"][EXPERIMENT]["get"]["parameters"].append(parameter)


def require_a_key(document: Json) -> None:
    schema = document["components"]["schemas"]["ProjectCreate"]
    schema["properties"]["reason"] = {"type": "string"}
    schema["required"].append("reason")


def narrow_a_key(document: Json) -> None:
    document["components"]["schemas"]["ProjectCreate"]["properties"]["name"]["maxLength"] = 3


def change_a_type(document: Json) -> None:
    document["components"]["schemas"]["Experiment"]["properties"]["id"]["type"] = "string"


def let_a_key_be_left_out(document: Json) -> None:
    document["components"]["schemas"]["Experiment"]["required"].remove("last_status")


def let_a_key_be_null(document: Json) -> None:
    number = document["components"]["schemas"]["Experiment"]["properties"]["num_jobs"]
    number["anyOf"] = [{"type": number.pop("type"), "format": number.pop("format")}, {"type": "null"}]


def add_a_word(document: Json) -> None:
    """Python's, Java's and Rust's clients raise at a word that they don't know."""
    document["components"]["schemas"]["Status"]["enum"].append("paused")


def drop_a_parameter(document: Json) -> None:
    del document["paths"][EXPERIMENTS]["get"]["parameters"][-1]


def change_a_media_type(document: Json) -> None:
    content = document["paths"][f"{EXPERIMENT}/outputs"]["get"]["responses"]["200"]["content"]
    content["application/zip"] = content.pop("application/gzip")


def drop_a_status(document: Json) -> None:
    responses = document["paths"][f"{EXPERIMENT}/tensorboard/start"]["post"]["responses"]
    del responses["201"]


def add_operation(document: Json) -> None:
    new = copy.deepcopy(document["paths"][EXPERIMENT]["get"])
    document["paths"][f"{EXPERIMENT}/new"] = {"get": {**new, "operationId": "get_something_new"}}


def add_keys(document: Json) -> None:
    for name in ("Experiment", "ExperimentCreate"):
        document["components"]["schemas"][name]["properties"]["new"] = {"type": "string"}


def add_a_parameter(document: Json) -> None:
    parameter = {"name": "brief", "in": "query", "schema": {"type": "boolean"}}
    document["paths"][EXPERIMENT]["get"]["parameters"].append(parameter)


def widen_a_key(document: Json) -> None:
    document["components"]["schemas"]["ProjectCreate"]["properties"]["name"]["maxLength"] = 1000


def add_an_error(document: Json) -> None:
    responses = document["paths"][EXPERIMENT]["get"]["responses"]
    responses["410"] = copy.deepcopy(responses["404"])


@pytest.mark.parametrize(
    "change",
    [
        *(drop_operation, drop_key, require_a_parameter, require_a_key, narrow_a_key, change_a_type),
        *(let_a_key_be_left_out, let_a_key_be_null, add_a_word, drop_a_parameter, drop_a_status),
        change_a_media_type,
    ],
)
def test_a_change_that_breaks_clients_is_told(
    oasdiff: Path, tmp_path: Path, change: Callable[[Json], None]
) -> None:
    assert breaks(oasdiff, COPY, changed(change, tmp_path)) != ""


@pytest.mark.parametrize("change", [add_operation, add_keys, add_a_parameter, widen_a_key, add_an_error])
def test_what_is_only_added_breaks_nobody(
    oasdiff: Path, tmp_path: Path, change: Callable[[Json], None]
) -> None:
    assert breaks(oasdiff, COPY, changed(change, tmp_path)) == ""


def changed(change: Callable[[Json], None], folder: Path) -> Path:
    document = json.loads(COPY.read_text())
    change(document)
    path = folder / "changed.json"
    path.write_text(json.dumps(document))
    return path
