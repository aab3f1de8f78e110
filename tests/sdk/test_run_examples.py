"""The document's examples of what ran are true: their experiment runs, and each answer is as it is shown."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.embedded.processes import until
from tests.openapi.sending import OPERATIONS, World, check_form, differences
from tests.openapi.test_examples import AWAY, OTHERWISE
from tests.sdk.conftest import Contract

MAKING = ["create_project", "upload_code", "create_experiment"]
EXPERIMENT = ["create_experiment_metric", "update_experiment", "stop_experiment", "get_experiment"]
EXPERIMENT += ["list_experiments", "list_all_experiments", "list_experiment_statuses"]
EXPERIMENT += ["bookmark_experiment", "list_bookmarked_experiments", "unbookmark_experiment"]
EXPERIMENT += ["list_output_files", "download_output_file", "get_project", "get_readiness"]
JOB = ["list_experiment_jobs", "get_experiment_job", "list_experiment_job_statuses", "create_job_log_ticket"]
JOB += ["get_job_logs", "get_job_log_lines", "get_job_log_events"]
BUILD = ["list_builds", "get_build", "list_build_statuses", "download_build_code"]
BUILD += ["get_build_logs", "get_build_log_lines", "get_build_log_events"]
TENSORBOARD = ["start_tensorboard", "get_tensorboard", "stop_tensorboard"]


@pytest.fixture
async def world(contract: Contract) -> AsyncIterator[World]:
    headers = {"Authorization": f"token {contract.up.token}"}
    async with httpx.AsyncClient(base_url=contract.up.url, headers=headers, timeout=180) as http:
        yield World(http)


@pytest.mark.timeout(400)
async def test_what_ran_is_answered_as_it_is_shown(contract: Contract, world: World) -> None:
    differ = [line for name in MAKING for line in await tried(world, name)]
    there = "/api/v1/root/quick-start"
    experiment = (await world.http.get(f"{there}/experiments")).json()["results"][0]["id"]
    here = f"{there}/experiments/{experiment}"
    await world.http.get(f"{here}/logs", params={"follow": True})
    with contract.up.client() as client:
        until(lambda: client.get(here).json()["last_status"] == "succeeded")
    job = (await world.http.get(f"{here}/jobs")).json()["results"][0]["id"]
    build = (await world.http.get(f"{there}/builds")).json()["results"][0]["id"]
    experiments = [*EXPERIMENT, *TENSORBOARD]
    for names, ids in ((experiments, {"id": experiment}), (JOB, {"id": experiment, "job_id": job})):
        world.ids.update(ids)
        differ += [line for name in names for line in await tried(world, name)]
    world.ids["id"] = build
    differ += [line for name in [*BUILD, "update_project"] for line in await tried(world, name)]
    assert differ == []


async def tried(world: World, name: str) -> list[str]:
    answer = await world.send(OPERATIONS[name])
    assert answer.status_code < 400, (name, answer.text)
    check_form(OPERATIONS[name], answer)
    return differences(OPERATIONS[name], answer)


def test_every_example_is_compared_here_or_where_nothing_runs() -> None:
    assert {*AWAY, *OTHERWISE} <= {*EXPERIMENT, *TENSORBOARD, *JOB, *BUILD, "update_project"}
