"""Schemathesis over the document: whatever it sends, the service answers what the document says.

Nothing is launched: no reconciler runs, as random commands are nothing to try on somebody's machine.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.live import Live, serving
from tests.openapi.conftest import described
from tests.openapi.reading import operations
from tests.people import Person

# Calls that would leave nothing to try for those after them.
DELETING: dict[str, dict[str, int | str]] = {
    "delete_experiment": {"project_name": "gone"},
    "delete_project": {"project_name": "gone"},
    "revoke_superuser": {"username": "ada"},
    "delete_user": {"username": "nobody"},
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"tensorboard_start": 0.1})


@pytest.fixture
async def live(settings: Settings, root: Person, ada: Person) -> AsyncIterator[Live]:
    """The service on a socket, with `ada/lab` and an experiment in it that printed a line and is done."""
    assert (await ada.http.post("/projects", json={"name": "lab"})).status_code == 201
    made = await ada.http.post("/ada/lab/experiments", json={})
    there = f"/ada/lab/experiments/{made.json()['id']}"
    assert (await ada.http.post(f"{there}/logs", json={"lines": ["one"]})).status_code == 201
    assert (await ada.http.post(f"{there}/stop")).status_code == 200
    async with serving(settings) as live:
        yield live


async def done_experiment(person: Person) -> int:
    answer = await person.http.get("/ada/lab/experiments")
    return int(answer.json()["results"][0]["id"])


DOCUMENT = described()
BODIES = {o.name: o.body["requestBody"] for o in operations(DOCUMENT) if "requestBody" in o.body}
HOOKS = Path(__file__).with_name("hooks.py")
# What is not held of which operation, and why.
EXCEPTIONS: list[tuple[str, tuple[str, ...]]] = [
    # A body that breaks no schema may still be refused: a name is taken, a text is no spec, a number of a key
    # that nothing knows has over 64 bits. `query` and `sort` have a grammar.
    (
        "checks.positive_data_acceptance.enabled = false",
        (*BODIES, "list_experiments", "list_all_experiments"),
    ),
    # Rust's clients send null for a body that is left out, and null it is.
    (
        "checks.negative_data_rejection.enabled = false",
        tuple(name for name, body in BODIES.items() if not body.get("required")),
    ),
    # Takes more than the document offers to SDKs, an array among others, which is answered otherwise.
    ('generation.mode = "positive"', ("create_experiment_metric",)),
    # Without a reconciler its page never comes.
    (
        'checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]',
        ("start_tensorboard",),
    ),
    # Their 404 needn't mean that the experiment or project is gone.
    (
        "checks.ensure_resource_availability.enabled = false",
        (
            *(
                "get_code",
                "download_code",
                "download_experiment_code",
                "get_code_reference",
                "download_build_code",
            ),
            *("download_output_file", "list_output_files", "unbookmark_experiment", "unbookmark_project"),
        ),
    ),
]


def configuration(experiment: int | None) -> str:
    """The checks, and what path parameters are, so that most calls find something.

    Without an experiment they are what the document's links say: each call follows from an answer.
    """
    places = {} if experiment is None else {"username": "ada", "project_name": "lab", "id": experiment}
    said: dict[str, list[str]] = {}
    for line, names in EXCEPTIONS:
        for name in names:
            said.setdefault(name, []).append(line)
    for name, values in DELETING.items() if places else ():
        said.setdefault(name, []).extend(
            f'parameters."path.{key}" = {json.dumps(value)}' for key, value in values.items()
        )
    lines = [f"hooks = {json.dumps(str(HOOKS))}", "[parameters]"]
    lines += [f'"path.{name}" = {json.dumps(value)}' for name, value in places.items()]
    for name, more in said.items():
        lines += ["[[operations]]", f'include-operation-id = "{name}"', *more]
    return "\n".join(lines) + "\n"


async def run(
    live: Live, folder: Path, experiment: int | None, token: str | None, *options: str
) -> tuple[int, str]:
    """Run it; its exit code, and what it printed."""
    config = folder / "schemathesis.toml"
    config.write_text(configuration(experiment))
    headers = ["--header", f"Authorization: token {token}"] if token else []
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "--no-color"),
        *("run", f"{live.url}/openapi.json", "--no-shrink", "--continue-on-failure"),
        *("--request-timeout", "20", "--suppress-health-check", "all", *headers, *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize("who", ["admin", "user", "nobody"])
async def test_a_few_calls_of_each_kind_are_answered_as_documented(
    live: Live, root: Person, ada: Person, tmp_path: Path, who: str
) -> None:
    token = {"admin": root.token, "user": ada.token, "nobody": None}[who]
    options = ("--phases", "examples,fuzzing", "--max-examples", "2", "--seed", "7")
    code, output = await run(live, tmp_path, await done_experiment(ada), token, *options)
    assert code == 0, output


async def test_calls_that_follow_from_each_other_are_answered_as_documented(
    live: Live, ada: Person, tmp_path: Path
) -> None:
    options = ("--phases", "stateful", "--max-examples", "4", "--seed", "7")
    code, output = await run(live, tmp_path, None, ada.token, *options)
    assert code == 0, output


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("who", ["admin", "user", "nobody"])
async def test_every_phase_is_answered_as_documented(
    live: Live, root: Person, ada: Person, tmp_path: Path, who: str
) -> None:
    token = {"admin": root.token, "user": ada.token, "nobody": None}[who]
    experiment = await done_experiment(ada)
    options = ("--phases", "examples,coverage,fuzzing", "--max-examples", "100")
    code, output = await run(live, tmp_path, experiment, token, *options)
    assert code == 0, output
    sys.stdout.write(counts(output))
    if token is not None:
        code, output = await run(live, tmp_path, None, token, "--phases", "stateful", "--max-examples", "100")
        assert code == 0, output
        sys.stdout.write(counts(output))


def counts(output: str) -> str:
    """How much was tried, for whoever asks with `-s`."""
    return output[output.find("Test cases:") :]
