"""What the token inside a job opens (`contract.md`, inside a job): its experiment and all below it to read,
what trackers send; nothing else."""

import httpx

from app.api.openapi import METHODS, describe
from app.db.engine import Sessions
from app.main import create_app
from app.settings import Settings
from tests.api.tracked import add_launched, add_tracked, job_client
from tests.people import Person

BASE = "/api/v1"
OWN = f"{BASE}/{{username}}/{{project_name}}/experiments/{{id}}"
OWN_BY_ANOTHER_NAME = f"{BASE}/{{username}}/{{project_name}}/experiments/{{experiment_id}}"
SENT_BY_TRACKERS = {"metrics", "metrics/batch", "statuses", "coderef", "_heartbeat", "logs", "token"}
OPEN = {f"{BASE}/users/token", f"{BASE}/log_handler"}


def calls(settings: Settings) -> list[tuple[str, str]]:
    """Every operation of the document: method and path."""
    paths = describe(create_app(settings))["paths"]
    return [(method, path) for path, item in paths.items() for method in item if method in METHODS]


def may(method: str, path: str) -> bool:
    own = path.replace(OWN_BY_ANOTHER_NAME, OWN)
    if not (own == OWN or own.startswith(f"{OWN}/")):
        return False
    below = own.removeprefix(OWN).strip("/")
    return (
        method == "get"
        or (method, below) == ("patch", "")
        or (method == "post" and below in SENT_BY_TRACKERS)
    )


async def test_it_reads_its_experiment_and_sends_what_trackers_send(
    ada: Person, bob: Person, sessions: Sessions, settings: Settings
) -> None:
    """All else is 403, whether it is there or not."""
    await bob.http.post("/projects", json={"name": "quick-start"})
    own, other = await add_launched(ada), await add_tracked(ada)
    inside = await job_client(sessions, ada, own)
    paths = [own, other, f"{own}000000"]
    paths += [own.replace("/ada/", f"/{name}/") for name in ("bob", "nobody")]
    paths += [own.replace("quick-start", "nothing")]
    for method, path in calls(settings):
        if not path.startswith(f"{BASE}/") or path in OPEN or path.startswith(f"{BASE}/versions/"):
            continue
        for experiment in paths:
            answer = await send(inside, method, path, experiment)
            if experiment == own and may(method, path):
                assert answer.status_code != 403, (method, path, answer.text)
            else:
                assert answer.status_code == 403, (method, path, experiment, answer.text)


async def send(client: httpx.AsyncClient, method: str, path: str, experiment: str) -> httpx.Response:
    """A call whose path has the names and the id of an experiment's."""
    _, username, project, _, id = experiment.split("/")
    names = {"username": username, "project_name": project, "id": id, "experiment_id": id}
    if "experiment_id}" in path or "/experiments/{id}" not in path:
        names["id"] = "1"
    url = path.removeprefix(BASE).format_map({**names, "job_id": 1, "path": "x"})
    body = {"status": "running", "values": {}, "name": "n", "points": [], "lines": []}
    sent = None if method in {"get", "delete"} else body
    return await client.request(method.upper(), url, params={"name": "loss"}, json=sent)
