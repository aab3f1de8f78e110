"""What single operations answer in the OpenAPI document where it is not their schema's example.

The examples tell one story: `root` makes the project `quick-start` and in it experiment 1, which succeeds;
`ada` comes and goes.
"""

import copy
from typing import Any

from app.services.versions import PLATFORM

Json = dict[str, Any]

_NEW: Json = {
    **dict.fromkeys(("started_at", "finished_at", "build_job", "last_metric")),
    "last_status": "created",
}
_CLONE: Json = {
    **_NEW,
    "id": 2,
    "unique_name": "root.quick-start.2",
    "name": None,
    "original": "root.quick-start.1",
    "is_clone": True,
}
_ADA: Json = {"username": "ada", "email": "ada@example.org"}
_EMPTY = ("num_experiments", "num_independent_experiments", "num_jobs", "num_builds")

ANSWERS: dict[str, Json] = {
    "create_project": {**dict.fromkeys(_EMPTY, 0), "has_code": False},
    "update_project": {"description": "A closer look", "is_public": True},
    "create_experiment": _NEW,
    "restart_experiment": _CLONE,
    "resume_experiment": {**_CLONE, "last_status": "resuming"},
    "copy_experiment": _CLONE,
    "create_experiment_status": {"status": "running", "message": "epoch 1"},
    "stop_tensorboard": {"status": "stopped", "url": None, "expires_at": None},
    "grant_superuser": _ADA,
    "revoke_superuser": {**_ADA, "is_superuser": False},
    "activate_user": {**_ADA, "is_superuser": False},
    "list_bookmarked_experiments": {"results": [{"content_object": {"bookmarked": True}}]},
    "get_platform_version": {"latest_version": PLATFORM, "min_version": PLATFORM},
}
"""The keys that differ, by operation."""
HISTORIES: dict[str, tuple[str, ...]] = {
    "list_experiment_statuses": ("created", "building", "scheduled", "starting", "running", "succeeded"),
    "list_experiment_job_statuses": ("scheduled", "starting", "running", "succeeded"),
    "list_build_statuses": ("created", "scheduled", "running", "succeeded"),
}
"""The words of the pages that tell how something went."""


def put_answers(document: Json) -> None:
    """Give the answers of these operations examples of their own."""
    schemas = document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in item.values():
            name = operation["operationId"]
            if name not in ANSWERS and name not in HISTORIES:
                continue
            content = operation["responses"][min(operation["responses"])]["content"]["application/json"]
            schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
            example = copy.deepcopy(schema["examples"][0])
            if name in HISTORIES:
                example.update(_history(example["results"][0], HISTORIES[name]))
            content["example"] = _merge(example, ANSWERS.get(name, {}))


def _merge(example: Any, other: Any) -> Any:
    """An example with what is other in it; a list has as many items there."""
    if isinstance(example, dict) and isinstance(other, dict):
        return {**example, **{key: _merge(example[key], value) for key, value in other.items()}}
    if isinstance(example, list) and isinstance(other, list):
        return [_merge(one, two) for one, two in zip(example, other, strict=True)]
    return other


def _history(last: Json, words: tuple[str, ...]) -> Json:
    """A page of rows, of which the last one has details, where rows have any."""
    rows = [{**last, "id": number, "status": word} for number, word in enumerate(words, 1)]
    for row in rows[:-1]:
        row.update(dict.fromkeys(row.keys() & {"details"}))
    return {"count": len(rows), "results": rows}
