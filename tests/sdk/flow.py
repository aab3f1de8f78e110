"""An experiment's life through the client that openapi-python-client makes; written as its users write."""

import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
from bunsen_client import AuthenticatedClient, Client
from bunsen_client.api.bookmarks import (
    bookmark_experiment,
    list_bookmarked_experiments,
    unbookmark_experiment,
)
from bunsen_client.api.code import upload_code
from bunsen_client.api.experiments import (
    copy_experiment,
    create_experiment,
    delete_experiment,
    get_experiment,
    list_experiments,
    restart_experiment,
    resume_experiment,
    stop_experiment,
)
from bunsen_client.api.jobs import list_experiment_jobs
from bunsen_client.api.logs import get_experiment_log_lines, get_experiment_logs
from bunsen_client.api.metrics import (
    create_experiment_metric,
    create_experiment_metric_batch,
    get_experiment_metric_history,
    list_experiment_metrics,
)
from bunsen_client.api.outputs import download_output_file, list_output_files
from bunsen_client.api.projects import create_project
from bunsen_client.api.statuses import list_experiment_statuses
from bunsen_client.api.tensorboard import get_tensorboard, start_tensorboard, stop_tensorboard
from bunsen_client.api.users import create_user_token, get_current_user
from bunsen_client.models import (
    Code,
    CodeUpload,
    Credentials,
    Experiment,
    ExperimentBookmarkPage,
    ExperimentClone,
    ExperimentCreate,
    ExperimentPage,
    ExperimentStatusPage,
    JobPage,
    JsonObject,
    LogEnd,
    LogLine,
    Metric,
    MetricBatch,
    MetricBatchCreate,
    MetricCreate,
    MetricHistory,
    MetricPage,
    MetricValues,
    OutputFilePage,
    Problem,
    Project,
    ProjectCreate,
    Role,
    SpecialNumber,
    Status,
    Tensorboard,
    User,
    UserToken,
)
from bunsen_client.types import File

from tests.sdk.flow_errors import meet_errors, meet_troubles
from tests.sdk.flow_files import archive, download

URL = os.environ["BUNSEN_URL"]
USER, PASSWORD = os.environ["BUNSEN_USER"], os.environ["BUNSEN_PASSWORD"]
PROJECT = "through-python"
DONE = {Status.SUCCEEDED, Status.FAILED, Status.STOPPED}


def log_in() -> AuthenticatedClient:
    credentials = Credentials(username=USER, password=PASSWORD)
    token = create_user_token.sync(client=Client(base_url=URL), body=credentials)
    assert isinstance(token, UserToken), token
    return AuthenticatedClient(base_url=URL, token=token.token)


def wait(client: AuthenticatedClient, id: int, words: set[Status]) -> Experiment:
    while True:
        experiment = get_experiment.sync(USER, PROJECT, id, client=client)
        assert isinstance(experiment, Experiment), experiment
        if experiment.last_status in words:
            return experiment
        time.sleep(0.2)


def follow(client: AuthenticatedClient, id: int, offset: int = 0) -> Iterator[LogLine | LogEnd]:
    """The log as it is printed: the generated call is sent through its client's own transport."""
    call = get_experiment_log_lines._get_kwargs(USER, PROJECT, id, follow=True, offset=offset)
    with client.get_httpx_client().stream(**call, timeout=60) as answer:
        answer.raise_for_status()
        for text in answer.iter_lines():
            event = json.loads(text)
            if event["event"] == "line":
                yield LogLine.from_dict(event)
            elif event["event"] == "end":
                yield LogEnd.from_dict(event)


def make(client: AuthenticatedClient, code: Path) -> int:
    """A project with code, and an experiment in it."""
    user = get_current_user.sync(client=client)
    assert isinstance(user, User)
    assert user.username == USER

    project = create_project.sync(client=client, body=ProjectCreate(name=PROJECT, tags=["sdk"]))
    assert isinstance(project, Project), project
    stored = upload_code.sync(USER, PROJECT, client=client, body=CodeUpload(repo=archive(code)))
    assert isinstance(stored, Code), stored
    assert stored.size > 0

    spec = {"version": 1, "kind": "experiment", "run": {"cmd": "python3 train.py {{ lines }}"}}
    body = ExperimentCreate(name="baseline", config=spec, declarations=JsonObject.from_dict({"lines": 400}))
    made = create_experiment.sync(USER, PROJECT, client=client, body=body, idempotency_key="once")
    again = create_experiment.sync(USER, PROJECT, client=client, body=body, idempotency_key="once")
    assert isinstance(made, Experiment), made
    assert isinstance(again, Experiment), again
    assert made.id == again.id
    assert made.original is None
    assert made.created_at.utcoffset() is not None
    assert isinstance(made.config, JsonObject)
    assert made.config["run"]["cmd"] == "python3 train.py {{ lines }}"
    return made.id


def read_logs(client: AuthenticatedClient, id: int) -> None:
    """Followed, cut after a hundred lines, taken up again at the next one."""
    lines: list[str] = []
    for event in follow(client, id):
        assert isinstance(event, LogLine)
        lines.append(event.text)
        following = event.seq + 1
        if following == 100:
            break
    end = None
    for event in follow(client, id, offset=following):
        if isinstance(event, LogEnd):
            end = event
        else:
            lines.append(event.text)
    assert lines == [f"line {number}" for number in range(400)]
    assert end is not None
    assert (end.status, end.last_seq) == (Status.SUCCEEDED, 399)

    text = get_experiment_logs.sync(USER, PROJECT, id, client=client, tail=2, seqs=True)
    assert text == "398 line 398\n399 line 399\n"


def read_statuses_and_jobs(client: AuthenticatedClient, id: int) -> None:
    experiment = wait(client, id, DONE)
    assert experiment.last_status is Status.SUCCEEDED
    assert experiment.started_at is not None
    assert experiment.finished_at is not None
    assert experiment.started_at < experiment.finished_at

    history = list_experiment_statuses.sync(USER, PROJECT, id, client=client, limit=100)
    assert isinstance(history, ExperimentStatusPage)
    words = [row.status for row in history.results]
    assert words[0] is Status.CREATED
    assert words[-1] is Status.SUCCEEDED

    jobs = list_experiment_jobs.sync(USER, PROJECT, id, client=client)
    assert isinstance(jobs, JobPage)
    assert [(job.role, job.last_status) for job in jobs.results] == [(Role.MASTER, Status.SUCCEEDED)]

    found = list_experiments.sync(USER, PROJECT, client=client, query="status:succeeded", sort="-created_at")
    assert isinstance(found, ExperimentPage)
    assert [row.id for row in found.results] == [id]
    assert found.next_ is None


def read_metrics(client: AuthenticatedClient, id: int) -> None:
    point = MetricCreate(values=MetricValues.from_dict({"loss": 0.5, "best": SpecialNumber.INFINITY}), step=0)
    logged = create_experiment_metric.sync(USER, PROJECT, id, client=client, body=point)
    assert isinstance(logged, Metric), logged
    points = [MetricCreate(MetricValues.from_dict({"loss": 1 / step}), step=step) for step in range(1, 1001)]
    batch = MetricBatchCreate(points=points, batch_id="epoch-1")
    for _ in range(2):  # sent again it changes nothing
        stored = create_experiment_metric_batch.sync(USER, PROJECT, id, client=client, body=batch)
        assert isinstance(stored, MetricBatch), stored
        assert stored.count == 1000

    page = list_experiment_metrics.sync(USER, PROJECT, id, client=client, limit=5)
    assert isinstance(page, MetricPage)
    assert page.count == 1001
    assert page.next_ is not None
    assert page.results[0].values["best"] is SpecialNumber.INFINITY

    thin = get_experiment_metric_history.sync(USER, PROJECT, id, client=client, name="loss", max_points=10)
    assert isinstance(thin, MetricHistory)
    assert thin.count == 1001
    assert len(thin.points) <= 10
    assert (thin.points[0].step, thin.points[-1].step) == (0, 1000)


def read_outputs(client: AuthenticatedClient, id: int) -> None:
    listed = list_output_files.sync(USER, PROJECT, id, client=client)
    assert isinstance(listed, OutputFilePage)
    assert {row.path for row in listed.results} == {"model.bin", "notes"}
    one = download_output_file.sync(USER, PROJECT, id, "notes/result.txt", client=client)
    assert isinstance(one, File)
    assert one.payload.read() == b"done\n"
    part = download_output_file.sync(USER, PROJECT, id, "notes/result.txt", client=client, range_="bytes=1-3")
    assert isinstance(part, File)
    assert part.payload.read() == b"one"

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "outputs.tar.gz")
        download(client, USER, PROJECT, id, target)
        with tarfile.open(target) as tar:
            sizes = {entry.name: entry.size for entry in tar if entry.isfile()}
    assert sizes == {"model.bin": int(os.environ["OUTPUT_SIZE"]), "notes/result.txt": 5}


def use_tensorboard(client: AuthenticatedClient, id: int) -> None:
    started = start_tensorboard.sync(USER, PROJECT, id, client=client.with_timeout(httpx.Timeout(180)))
    assert isinstance(started, Tensorboard), started
    assert started.url is not None
    there = get_tensorboard.sync(USER, PROJECT, id, client=client)
    assert isinstance(there, Tensorboard)
    assert there.status is Status.RUNNING
    stopped = stop_tensorboard.sync(USER, PROJECT, id, client=client)
    assert isinstance(stopped, Tensorboard)
    assert stopped.url is None


def mark(client: AuthenticatedClient, id: int) -> None:
    assert bookmark_experiment.sync_detailed(USER, PROJECT, id, client=client).status_code == 201
    marked = list_bookmarked_experiments.sync(USER, client=client)
    assert isinstance(marked, ExperimentBookmarkPage)
    assert [row.content_object.id for row in marked.results] == [id]
    assert unbookmark_experiment.sync_detailed(USER, PROJECT, id, client=client).status_code == 204


def clone(client: AuthenticatedClient, id: int) -> None:
    """Restart, resume and copy; stopped and deleted."""
    changes = ExperimentClone(declarations=JsonObject.from_dict({"lines": 100_000_000}))
    clones: list[Experiment] = []
    for call in (restart_experiment, resume_experiment, copy_experiment):
        made = call.sync(USER, PROJECT, id, client=client, body=changes)
        assert isinstance(made, Experiment), made
        assert made.is_clone
        assert made.original == f"{USER}.{PROJECT}.{id}"
        clones.append(made)
    refused = resume_experiment.sync(USER, PROJECT, id, client=client)
    assert isinstance(refused, Problem), refused
    assert (refused.status, refused.code) == (409, "conflict")

    wait(client, clones[0].id, {Status.RUNNING})
    for made in clones:
        assert not isinstance(stop_experiment.sync(USER, PROJECT, made.id, client=client), Problem)
        assert wait(client, made.id, DONE).last_status is Status.STOPPED
    for made in clones:
        answer = delete_experiment.sync_detailed(USER, PROJECT, made.id, client=client)
        assert answer.status_code is HTTPStatus.NO_CONTENT


def main() -> None:
    with log_in() as client, tempfile.TemporaryDirectory() as code:
        Path(code, "train.py").write_text(os.environ["TRAIN"])
        id = make(client, Path(code))
        read_logs(client, id)
        read_statuses_and_jobs(client, id)
        read_metrics(client, id)
        read_outputs(client, id)
        use_tensorboard(client, id)
        mark(client, id)
        clone(client, id)
        meet_errors(client, USER, PROJECT, id)
        meet_troubles(client, USER, PROJECT)
        gone = delete_experiment.sync_detailed(USER, PROJECT, id, client=client)
        assert gone.status_code is HTTPStatus.NO_CONTENT


if __name__ == "__main__":
    main()
