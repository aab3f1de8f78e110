"""What an answer tells of the calls that can follow it."""

import re
from typing import Any

from tests.openapi.reading import operations


def test_answers_link_to_the_calls_that_can_follow(document: dict[str, Any]) -> None:
    found = {operation.name: operation for operation in operations(document)}
    links = {name: o.answers[min(o.answers)].get("links", {}) for name, o in found.items()}
    for link in (link for after in links.values() for link in after.values()):
        named = re.findall(r"\{([^}]*)\}", found[link["operationId"]].path)
        assert set(link["parameters"]) == set(named), link
    created = set(links["create_experiment"])
    assert {"get_experiment", "stop_experiment", "delete_experiment", "get_experiment_logs"} <= created
    assert links["resume_experiment"] == links["create_experiment"]
    assert {"get_project", "create_experiment"} <= set(links["create_project"])
    assert "get_job_logs" in links["list_experiment_jobs"]
    assert "get_build_logs" in links["list_builds"]
