"""Links in the OpenAPI document: what an answer tells of the calls that can follow it."""

import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

API = "/api/v1"
PROJECT = f"{API}/{{username}}/{{project_name}}"
HERE = {"username": "$request.path.username", "project_name": "$request.path.project_name"}


@dataclass(frozen=True, slots=True)
class Step:
    """That answers of some operations lead to every call at or below a path with these parameters."""

    name: str
    operations: tuple[str, ...]
    status: str
    path: str
    parameters: dict[str, str]


STEPS = (
    Step(
        "project",
        ("create_project",),
        "201",
        PROJECT,
        {"username": "$response.body#/user", "project_name": "$response.body#/name"},
    ),
    Step(
        "experiment",
        ("create_experiment", "restart_experiment", "resume_experiment", "copy_experiment"),
        "201",
        f"{PROJECT}/experiments/{{id}}",
        {**HERE, "id": "$response.body#/id"},
    ),
    Step(
        "job",
        ("list_experiment_jobs",),
        "200",
        f"{PROJECT}/experiments/{{id}}/jobs/{{job_id}}",
        {**HERE, "id": "$request.path.id", "job_id": "$response.body#/results/0/id"},
    ),
    Step(
        "build",
        ("list_builds",),
        "200",
        f"{PROJECT}/builds/{{id}}",
        {**HERE, "id": "$response.body#/results/0/id"},
    ),
)


def put_links(document: Json) -> None:
    """Each link has the name of the operation that it leads to.

    They stand where they are used: as components, a parser that Java's generators share doesn't find them.
    """
    found = {
        operation["operationId"]: (path, operation)
        for path, item in document["paths"].items()
        for operation in item.values()
    }
    for step in STEPS:
        links = {
            name: {"operationId": name, "parameters": step.parameters}
            for name, (path, _) in found.items()
            if path.startswith(step.path) and set(re.findall(r"{(\w+)}", path)) == set(step.parameters)
        }
        for start in step.operations:
            if start in found:
                found[start][1]["responses"][step.status]["links"] = links
