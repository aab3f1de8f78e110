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
from tests.people import Person

# What the document doesn't promise: that each body that breaks no schema is taken, and the reverse.
NOT_CHECKED = [
    *("negative_data_rejection", "positive_data_acceptance", "missing_required_header"),
    *("object_level_authorization", "allow_header_conformance"),
]
# Calls that would leave nothing to try for those after them.
DELETING: dict[str, dict[str, int | str]] = {
    "delete_experiment": {"project_name": "gone"},
    "delete_project": {"project_name": "gone"},
    "revoke_superuser": {"username": "ada"},
    "delete_user": {"username": "nobody"},
}


@pytest.fixture
async def live(settings: Settings, root: Person, ada: Person) -> AsyncIterator[Live]:
    """The service on a socket, with `ada/lab` and an experiment that is done in it."""
    assert (await ada.http.post("/projects", json={"name": "lab"})).status_code == 201
    made = await ada.http.post("/ada/lab/experiments", json={})
    assert (await ada.http.post(f"/ada/lab/experiments/{made.json()['id']}/stop")).status_code == 200
    async with serving(settings) as live:
        yield live


async def done_experiment(person: Person) -> int:
    answer = await person.http.get("/ada/lab/experiments")
    return int(answer.json()["results"][0]["id"])


STARTING = "start_tensorboard"  # without a reconciler it waits for a page that never comes
# The document says what an event's data is, as generators for 3.1 read it; Schemathesis takes that for the
# event itself, with its id, as OpenAPI 3.2 does.
EVENTS = ("get_experiment_log_events", "get_job_log_events", "get_build_log_events")
# Takes more than the document offers to SDKs, an array among others, which is answered otherwise.
GENEROUS = "create_experiment_metric"


# Their 404 needn't mean that the experiment or project is gone.
MAY_BE_MISSING = (
    *("get_code", "download_code", "download_experiment_code", "get_code_reference", "download_output_file"),
    *("list_output_files", "unbookmark_experiment", "unbookmark_project"),
)


def configuration(experiment: int | None) -> str:
    """The checks, and what path parameters are, so that most calls find something.

    Without an experiment they are what the document's links say: each call follows from an answer.
    """
    places = {} if experiment is None else {"username": "ada", "project_name": "lab", "id": experiment}
    lines = ["[parameters]", *(f'"path.{name}" = {json.dumps(value)}' for name, value in places.items())]
    lines += ["[checks]", *(f"{name}.enabled = false" for name in NOT_CHECKED)]
    for operation, values in DELETING.items() if places else ():
        lines += ["[[operations]]", f'include-operation-id = "{operation}"']
        lines += [f'parameters."path.{name}" = {json.dumps(value)}' for name, value in values.items()]
    for operation in MAY_BE_MISSING:
        lines += ["[[operations]]", f'include-operation-id = "{operation}"']
        lines += ["checks.ensure_resource_availability.enabled = false"]
    for operation in EVENTS:
        lines += ["[[operations]]", f'include-operation-id = "{operation}"']
        lines += ["checks.response_schema_conformance.enabled = false"]
    lines += ["[[operations]]", f'include-operation-id = "{GENEROUS}"', 'generation.mode = "positive"']
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
        *(
            "--request-timeout",
            "20",
            "--suppress-health-check",
            "all",
            "--exclude-operation-id",
            STARTING,
            *headers,
            *options,
        ),
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
