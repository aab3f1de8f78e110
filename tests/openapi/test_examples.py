"""The examples in the document are true: each is sent, and is answered as the document says."""

import httpx
import pytest

from app.db.engine import Sessions, transaction
from app.services.passwords import hash_password
from app.services.users import set_password
from app.settings import Settings
from tests.openapi.sending import OPERATIONS, World, check_form, differences
from tests.people import Person

# Whoever makes something is first, whoever deletes it last; the rest goes by the order of the document.
FIRST = ["create_user_token", "create_project", "upload_code", "create_experiment", "update_experiment"]
FIRST += ["stop_experiment", "restart_experiment", "resume_experiment", "copy_experiment", "grant_superuser"]
FIRST += ["bookmark_project", "list_bookmarked_projects", "unbookmark_project", "create_code_reference"]
FIRST += ["create_experiment_metric", "list_experiment_metrics", "get_experiment_metric_history"]
LAST = ["delete_code", "delete_experiment", "delete_project", "revoke_superuser", "activate_user"]
LAST += ["delete_user"]
# Theirs is the experiment that the example makes; all others have one that is only tracked.
LAUNCHED = {"update_experiment", "stop_experiment", "restart_experiment", "resume_experiment"}
LAUNCHED |= {"copy_experiment", "download_experiment_code"}
# What nothing is there of while no reconciler runs: answered by a problem.
AWAY = {"start_tensorboard": 503, "get_build": 404, "list_build_statuses": 404, "get_experiment_job": 404}
AWAY |= {"list_experiment_job_statuses": 404, "create_job_log_ticket": 404, "download_output_file": 404}
AWAY |= {f"get_{kind}_log{form}": 404 for kind in ("job", "build") for form in ("s", "_lines", "_events")}
AWAY |= {"list_output_files": 404, "download_build_code": 404}
# What is another while no reconciler runs, or after the rest: tests/sdk/test_run_examples.py has it.
OTHERWISE = {"update_experiment", "stop_experiment", "get_experiment", "list_experiments", "get_readiness"}
OTHERWISE |= {"list_all_experiments", "list_bookmarked_experiments", "list_experiment_statuses"}
OTHERWISE |= {"list_experiment_jobs", "list_builds", "get_tensorboard", "get_project", "update_project"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"tensorboard_start": 0.1})


@pytest.fixture
async def world(root: Person, ada: Person, client: httpx.AsyncClient, sessions: Sessions) -> World:
    hashed = await hash_password("correct horse battery staple")
    async with transaction(sessions) as session:
        await set_password(session, "root", hashed)
    return World(httpx.AsyncClient(transport=client._transport, base_url=client.base_url))


async def test_every_example_is_taken_and_answered_as_documented(world: World) -> None:
    """In its form, and with the values of the answer's example, but for ids, times and secrets."""
    launched = tracked = 0
    differ = []
    rest = [name for name in OPERATIONS if name not in {*FIRST, *LAST}]
    for name in [*FIRST, *rest, *LAST]:
        operation = OPERATIONS[name]
        world.ids["id"] = launched if name in LAUNCHED else tracked
        answer = await world.send(operation)
        if name == "create_user_token":
            world.http.headers["Authorization"] = f"token {answer.json()['token']}"
        if name == "create_experiment":
            launched = answer.json()["id"]
            made = await world.http.post("/api/v1/root/quick-start/experiments", json={})
            tracked = made.json()["id"]
        check_form(operation, answer)
        status = answer.status_code
        assert status == AWAY.get(name, status if status < 400 else "a success"), (name, status, answer.text)
        if name not in {*AWAY, *OTHERWISE}:
            differ += differences(operation, answer)
    assert differ == []
