"""The API as its users have it: each call of the documented API, in its order, exactly as printed there."""

import io
import tarfile
from itertools import groupby

import pytest

from tests.documented.keys import (
    CLONE_AS_PRINTED,
    EXPERIMENT,
    JOB,
    JOB_STATUS,
    METRIC,
    STATUS,
    check,
    check_page,
)
from tests.documented.printed import (
    BOOKMARK_EXPERIMENT,
    COPY_EXPERIMENT,
    CREATE_METRIC,
    DELETE_EXPERIMENT,
    DOWNLOAD_OUTPUTS,
    GET_EXPERIMENT,
    GET_JOB,
    GET_JOB_STATUSES,
    GET_LOGS,
    GET_METRICS,
    GET_STATUSES,
    LIST_JOBS,
    RESTART_EXPERIMENT,
    RESUME_EXPERIMENT,
    START_TENSORBOARD,
    STOP_EXPERIMENT,
    STOP_TENSORBOARD,
    UNBOOKMARK_EXPERIMENT,
    UPDATE_EXPERIMENT,
)
from tests.documented.service import Experiment


def test_get_experiment(finished: Experiment) -> None:
    answer = finished.curl(GET_EXPERIMENT)
    assert answer.status == 200
    row = answer.json()
    check(row, EXPERIMENT)
    assert row["unique_name"] == f"root.quick-start.{finished.id}"
    assert (row["id"], row["user"], row["project"]) == (finished.id, "root", "root.quick-start")
    assert row["created_at"] < row["started_at"] <= row["finished_at"]
    assert row["last_status"] == "succeeded"
    assert row["build_job"].startswith("root.quick-start.builds.")
    assert row["config"]["run"] == {"cmd": "sh model.sh"}
    assert row["last_metric"] == {"loss": 0.0502114, "precision": 0.9, "accuracy": 0.85}
    assert row["num_jobs"] == 1
    nulls = ("name", "description", "original", "experiment_group", "tags", "declarations", "resources")
    assert [row[key] for key in nulls] == [None] * len(nulls)
    assert (row["is_clone"], row["bookmarked"]) == (False, False)


def test_update_experiment(tracked: Experiment) -> None:
    before = tracked.get()
    answer = tracked.curl(UPDATE_EXPERIMENT)
    assert answer.status == 200
    row = answer.json()
    check(row, EXPERIMENT)
    assert row["updated_at"] > before["updated_at"]
    changed = {"description": "new description", "updated_at": row["updated_at"]}
    assert row == before | changed == tracked.get()


def test_delete_experiment(tracked: Experiment) -> None:
    answer = tracked.curl(DELETE_EXPERIMENT)
    assert (answer.status, answer.body) == (204, b"")
    assert tracked.curl(GET_EXPERIMENT).status == 404


@pytest.mark.parametrize("printed", [RESTART_EXPERIMENT, RESUME_EXPERIMENT, COPY_EXPERIMENT])
def test_restart_resume_and_copy_experiment(finished: Experiment, printed: str) -> None:
    answer = finished.curl(printed)
    assert answer.status == 201
    row = answer.json()
    clone = Experiment(finished.service, finished.project, row["id"])
    try:
        check(row, CLONE_AS_PRINTED)
        check(row, EXPERIMENT)
        assert row["id"] > finished.id
        assert row["unique_name"] == f"root.quick-start.{row['id']}"
        assert row["original"] == f"root.quick-start.{finished.id}"
        assert (row["name"], row["started_at"], row["finished_at"]) == (None, None, None)
        assert row["last_status"] in {"created", "resuming"}
        assert row["is_clone"]
    finally:
        clone.curl(DELETE_EXPERIMENT)


def test_stop_experiment(tracked: Experiment) -> None:
    answer = tracked.curl(STOP_EXPERIMENT)
    assert answer.status == 200
    assert answer.json()["last_status"] == "stopped"
    assert tracked.curl(STOP_EXPERIMENT).json() == answer.json()


def test_stop_an_experiment_that_runs(finished: Experiment) -> None:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": "sleep 600"}}
    experiment = finished.service.create(finished.project, config=config)
    assert experiment.curl(STOP_EXPERIMENT).status == 200
    assert experiment.curl(DELETE_EXPERIMENT).status == 204


def test_get_experiment_statuses(finished: Experiment) -> None:
    answer = finished.curl(GET_STATUSES)
    assert answer.status == 200
    words = ["created", "building", "scheduled", "starting", "running", "succeeded"]
    page = answer.json()
    rows = check_page(page, STATUS, page["count"])
    assert [word for word, _ in groupby(row["status"] for row in rows)] == words  # some say more than once
    assert {row["experiment"] for row in rows} == {finished.id}
    assert rows == sorted(rows, key=lambda row: (row["created_at"], row["id"]))


def test_get_experiment_metrics(finished: Experiment) -> None:
    answer = finished.curl(GET_METRICS)
    assert answer.status == 200
    rows = check_page(answer.json(), METRIC, 2)
    assert [row["values"] for row in rows] == [
        {"loss": 0.050211381167173386, "precision": 0.9986705183982849, "accuracy": 0.982699990272522},
        {"precision": 0.9, "accuracy": 0.85},
    ]
    assert {row["experiment"] for row in rows} == {finished.id}


def test_create_experiment_metric(tracked: Experiment) -> None:
    answer = tracked.curl(CREATE_METRIC)
    assert answer.status == 201
    row = answer.json()
    check(row, METRIC)
    assert row["values"] == {"precision": 0.9, "accuracy": 0.85}
    assert row["experiment"] == tracked.id
    assert tracked.get("/metrics")["results"] == [row]


def test_list_experiment_jobs(finished: Experiment) -> None:
    answer = finished.curl(LIST_JOBS)
    assert answer.status == 200
    [row] = check_page(answer.json(), JOB, 1)
    assert row["unique_name"] == f"root.quick-start.{finished.id}.{row['id']}.master"
    assert (row["role"], row["experiment"], row["last_status"]) == ("master", finished.id, "succeeded")
    assert row["created_at"] < row["started_at"] <= row["finished_at"]
    assert row["node_scheduled"]


def test_get_experiment_logs(finished: Experiment) -> None:
    answer = finished.curl(GET_LOGS)
    assert (answer.status, answer.media) == (200, "text/plain")
    assert answer.body == b"training\ndone\n"


def test_get_the_logs_of_an_experiment_that_printed_nothing(tracked: Experiment) -> None:
    answer = tracked.curl(GET_LOGS)
    assert (answer.status, answer.body) == (200, b"")


def test_start_and_stop_experiment_tensorboard(finished: Experiment) -> None:
    started = finished.curl(START_TENSORBOARD)
    assert started.status == 201, started
    assert finished.get()["has_tensorboard"] is True
    assert finished.curl(START_TENSORBOARD).status == 200
    assert finished.curl(STOP_TENSORBOARD).status == 200
    assert finished.get()["has_tensorboard"] is False
    assert finished.curl(STOP_TENSORBOARD).status == 200


def test_download_experiment_outputs(finished: Experiment) -> None:
    answer = finished.curl(DOWNLOAD_OUTPUTS)
    assert (answer.status, answer.media) == (200, "application/gzip")
    with tarfile.open(fileobj=io.BytesIO(answer.body), mode="r:gz") as archive:
        file = archive.extractfile("model.txt")
        assert file
        assert file.read() == b"weights"


def test_download_the_outputs_of_an_experiment_that_has_none(tracked: Experiment) -> None:
    answer = tracked.curl(DOWNLOAD_OUTPUTS)
    assert answer.status == 200
    with tarfile.open(fileobj=io.BytesIO(answer.body), mode="r:gz") as archive:
        assert archive.getnames() in ([], ["."])


def test_get_experiment_job(finished: Experiment) -> None:
    listed = finished.get("/jobs")["results"][0]
    answer = finished.curl(GET_JOB, job_id=listed["id"])
    assert answer.status == 200
    row = answer.json()
    check(row, JOB | {"definition": "object"})
    assert {key: row[key] for key in JOB} == {key: listed[key] for key in JOB}


def test_get_experiment_job_statuses(finished: Experiment) -> None:
    job = finished.get("/jobs")["results"][0]["id"]
    answer = finished.curl(GET_JOB_STATUSES, job_id=job)
    assert answer.status == 200
    page = answer.json()
    rows = check_page(page, JOB_STATUS, page["count"])
    assert rows[-1]["status"] == "succeeded"
    assert {row["job"] for row in rows} == {job}


def test_bookmark_and_unbookmark_experiment(tracked: Experiment) -> None:
    for _ in range(2):
        assert tracked.curl(BOOKMARK_EXPERIMENT).status == 201
        assert tracked.get()["bookmarked"] is True
    for _ in range(2):
        assert tracked.curl(UNBOOKMARK_EXPERIMENT).status == 204
        assert tracked.get()["bookmarked"] is False


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("between", ["/", "//", "///"])
def test_every_path_answers_alike_with_any_slashes(finished: Experiment, between: str, ending: str) -> None:
    for below in ("", "/statuses", "/metrics", "/jobs", "/logs"):
        plain = finished.curl(GET_EXPERIMENT.replace("{{id}}'", "{{id}}" + below + "'"))
        path = ("/experiments/{{id}}" + below).replace("/", between) + ending
        answer = finished.curl(GET_EXPERIMENT.replace("/experiments/{{id}}'", path + "'"))
        assert answer == plain
        assert plain.status == 200
