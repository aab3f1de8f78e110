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
    "delete_experiment": {"id": 1},
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
# Takes more than the document offers to SDKs, an array among others, which is answered otherwise.
GENEROUS = "create_experiment_metric"


def configuration(experiment: int) -> str:
    """What path parameters are, so that most calls find something."""
    places = {"username": "ada", "project_name": "lab", "id": experiment}
    lines = ["[parameters]", *(f'"path.{name}" = {json.dumps(value)}' for name, value in places.items())]
    lines += ["[checks]", *(f"{name}.enabled = false" for name in NOT_CHECKED)]
    for operation, values in DELETING.items():
        lines += ["[[operations]]", f'include-operation-id = "{operation}"']
        lines += [f'parameters."path.{name}" = {json.dumps(value)}' for name, value in values.items()]
    lines += ["[[operations]]", f'include-operation-id = "{GENEROUS}"', 'generation.mode = "positive"']
    return "\n".join(lines) + "\n"


async def run(live: Live, folder: Path, experiment: int, token: str | None, *options: str) -> tuple[int, str]:
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
    options = ("--phases", "examples,fuzzing,stateful", "--max-examples", "2", "--seed", "7")
    code, output = await run(live, tmp_path, await done_experiment(ada), token, *options)
    assert code == 0, output


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("who", ["admin", "user", "nobody"])
async def test_every_phase_is_answered_as_documented(
    live: Live, root: Person, ada: Person, tmp_path: Path, who: str
) -> None:
    token = {"admin": root.token, "user": ada.token, "nobody": None}[who]
    code, output = await run(live, tmp_path, await done_experiment(ada), token, "--max-examples", "100")
    assert code == 0, output
