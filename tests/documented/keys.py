"""The documented keys and the form of each: answers have these, and may have more."""

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
UUID = re.compile(r"[0-9a-f]{32}")

STATUS_WORDS = {
    *("created", "resuming", "building", "scheduled", "starting", "running"),
    *("succeeded", "failed", "stopped", "unknown"),
}

EXPERIMENT = {
    "id": "int",
    "uuid": "uuid",
    "name": "text?",
    "unique_name": "text",
    "user": "text",
    "description": "text?",
    "created_at": "time",
    "updated_at": "time",
    "started_at": "time?",
    "finished_at": "time?",
    "last_status": "status",
    "original": "text?",
    "project": "text",
    "experiment_group": "null",
    "build_job": "text?",
    "tags": "list?",
    "config": "object?",
    "declarations": "object?",
    "resources": "object?",
    "last_metric": "object?",
    "num_jobs": "int",
    "is_clone": "bool",
    "has_tensorboard": "bool?",
    "bookmarked": "bool",
}
CLONE_AS_PRINTED = {key: EXPERIMENT[key] for key in list(EXPERIMENT)[:16]}
STATUS = {
    "id": "int",
    "uuid": "uuid",
    "created_at": "time",
    "message": "text?",
    "status": "status",
    "experiment": "int",
}
METRIC = {"id": "int", "created_at": "time", "values": "object", "experiment": "int"}
JOB = {
    "id": "int",
    "uuid": "uuid",
    "unique_name": "text",
    "role": "text",
    "experiment": "int",
    "last_status": "status",
    "created_at": "time",
    "updated_at": "time",
    "started_at": "time?",
    "finished_at": "time?",
    "resources": "object?",
    "node_scheduled": "text?",
}
JOB_STATUS = {
    "id": "int",
    "uuid": "uuid",
    "created_at": "time",
    "message": "text?",
    "status": "status",
    "details": "object?",
    "job": "int",
}


TYPES = {"int": int, "bool": bool, "list": list, "object": dict}


def check(row: Any, keys: dict[str, str]) -> None:
    """Fails where a documented key is missing or has another form."""
    assert isinstance(row, dict)
    assert keys.keys() <= row.keys()
    for key, form in keys.items():
        assert _has_form(row[key], form), (key, row[key], form)


def check_page(page: Any, keys: dict[str, str], count: int) -> list[Any]:
    """The rows of a page that holds them all."""
    assert page.keys() == {"count", "next", "previous", "results"}
    assert (page["count"], page["next"], page["previous"]) == (count, None, None)
    rows: list[Any] = page["results"]
    assert len(rows) == count
    for row in rows:
        check(row, keys)
    return rows


def _has_form(value: Any, form: str) -> bool:
    if value is None:
        return form.endswith("?") or form == "null"
    name = form.removesuffix("?")
    if name in TYPES:
        return type(value) is TYPES[name]
    return (
        isinstance(value, str)
        and {
            "uuid": UUID.fullmatch(value) is not None,
            "time": TIME.fullmatch(value) is not None,
            "status": value in STATUS_WORDS,
            "text": value != "",
        }[name]
    )
