"""The variables in a job: each row of the table, for each role and framework."""

import json

import pytest

from app.domain.lifecycle import Role
from app.domain.runs import Amounts, JobRef, JobSpec, Resources, RunKind, RunSpec
from app.domain.spec.variables import job_variables, run_variables

UUID = "ab" * 16
ADDRESSES = {
    Role.MASTER: ["10.0.0.1:2222"],
    Role.WORKER: ["w0:1", "w1:2"],
    Role.PS: ["p0:3"],
    Role.SERVER: ["s0:4"],
}


def job(role: Role = Role.MASTER, index: int = 0, gpu: int | None = None) -> JobSpec:
    return JobSpec(JobRef("cd" * 16, 1), role, index, Resources(limits=Amounts(gpu=gpu)))


def variables(
    of: JobSpec | None = None,
    framework: str | None = None,
    *,
    roles: tuple[Role, ...] = (Role.MASTER,),
    token: str | None = "secret",
    env_vars: tuple[tuple[str, str], ...] = (),
    own: dict[str, str] | None = None,
    api_url: str = "http://127.0.0.1:8000",
) -> dict[str, str]:
    shared = run_variables(
        declarations={"lr": 0.1},
        log_level="WARN",
        project_name="root.quick-start",
        project_uuid="12" * 16,
        experiment_name="root.quick-start.7",
        experiment_uuid=UUID,
    )
    run = RunSpec(
        UUID,
        RunKind.EXPERIMENT,
        1,
        (job(),),
        "true",
        variables=shared,
        token=token,
        framework=framework,
        env_vars=env_vars,
    )
    return job_variables(
        run,
        of or job(),
        addresses={role: ADDRESSES[role] for role in roles},
        outputs_path="/out",
        data_paths={"images": "/data/images"},
        refs_outputs_paths=["/out/a", "/out/b"],
        api_url=api_url,
        own=own,
    )


def test_a_single_job_gets_the_whole_table() -> None:
    assert variables() == {
        "POLYAXON_DECLARATIONS": '{"lr": 0.1}',
        "POLYAXON_EXPERIMENT_INFO": json.dumps(
            {
                "app": "polyaxon-experiment",
                "project_name": "root.quick-start",
                "experiment_group_name": None,
                "experiment_name": "root.quick-start.7",
                "project_uuid": "12" * 16,
                "experiment_uuid": UUID,
            }
        ),
        "POLYAXON_TASK_INFO": '{"type": "master", "index": 0}',
        "POLYAXON_CLUSTER": '{"master": ["10.0.0.1:2222"]}',
        "POLYAXON_RUN_OUTPUTS_PATH": "/out",
        "POLYAXON_RUN_DATA_PATHS": '{"images": "/data/images"}',
        "POLYAXON_REFS_OUTPUTS_PATHS": '{"experiments": ["/out/a", "/out/b"]}',
        "POLYAXON_LOG_LEVEL": "WARN",
        "POLYAXON_API_VERSION": "v1",
        "POLYAXON_IN_CLUSTER": "true",
        "POLYAXON_API_HTTP_HOST": "http://127.0.0.1:8000",
        "POLYAXON_API_WS_HOST": "ws://127.0.0.1:8000",
        "POLYAXON_API_HOST": "127.0.0.1",
        "POLYAXON_HTTP_PORT": "8000",
        "POLYAXON_SECRET_EPHEMERAL_TOKEN": "secret",
        "POLYAXON_SECRET_USER_TOKEN": "secret",
        "POLYAXON_INTERNAL_HEADER": "X-POLYAXON-INTERNAL",
        "POLYAXON_INTERNAL_HEADER_SERVICE": "runner",
        "NVIDIA_VISIBLE_DEVICES": "none",
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
    }


def test_no_declarations_are_null() -> None:
    shared = run_variables(
        declarations=None,
        log_level="INFO",
        project_name="u.p",
        project_uuid="",
        experiment_name="u.p.1",
        experiment_uuid="",
    )
    assert shared["POLYAXON_DECLARATIONS"] == "null"


def test_without_a_token_none_is_told() -> None:
    assert not [name for name in variables(token=None) if "TOKEN" in name]


def test_a_job_with_gpus_keeps_what_its_launcher_says() -> None:
    assert "NVIDIA_VISIBLE_DEVICES" not in variables(job(gpu=1))
    assert variables(job(gpu=1), own={"NVIDIA_VISIBLE_DEVICES": "0"})["NVIDIA_VISIBLE_DEVICES"] == "0"


def test_env_vars_win_over_all_and_the_launchers_own_over_the_rest() -> None:
    env = variables(
        own={"PATH": "/bin", "LANG": "de_DE", "HOME": "/home"},
        env_vars=(("PATH", "/mine"), ("POLYAXON_LOG_LEVEL", "DEBUG"), ("PYTHONUNBUFFERED", "0")),
    )
    assert (env["PATH"], env["LANG"], env["HOME"]) == ("/mine", "de_DE", "/home")
    assert (env["POLYAXON_LOG_LEVEL"], env["PYTHONUNBUFFERED"]) == ("DEBUG", "0")


@pytest.mark.parametrize(
    ("api_url", "http", "ws", "host", "port"),
    [
        ("https://b.example", "https://b.example:443", "wss://b.example:443", "b.example", "443"),
        ("http://b.example", "http://b.example:80", "ws://b.example:80", "b.example", "80"),
        ("http://[::1]:8000", "http://[::1]:8000", "ws://[::1]:8000", "::1", "8000"),
    ],
)
def test_the_service_is_told_whole_and_in_parts(
    api_url: str, http: str, ws: str, host: str, port: str
) -> None:
    env = variables(api_url=api_url)
    assert env["POLYAXON_API_HTTP_HOST"] == http
    assert env["POLYAXON_API_WS_HOST"] == ws
    assert (env["POLYAXON_API_HOST"], env["POLYAXON_HTTP_PORT"]) == (host, port)


def test_tensorflow_reads_its_configuration() -> None:
    roles = (Role.MASTER, Role.WORKER, Role.PS)
    env = variables(job(Role.WORKER, 1), "tensorflow", roles=roles)
    cluster = {"master": ["10.0.0.1:2222"], "worker": ["w0:1", "w1:2"], "ps": ["p0:3"]}
    task = {"type": "worker", "index": 1}
    assert json.loads(env["POLYAXON_CLUSTER"]) == cluster
    assert json.loads(env["POLYAXON_TASK_INFO"]) == task
    assert json.loads(env["TF_CONFIG"]) == {
        "cluster": cluster,
        "task": task,
        "model_dir": "/out",
        "environment": "cloud",
    }


def test_a_role_without_jobs_is_listed_empty() -> None:
    env = variables(framework="tensorflow", roles=(Role.MASTER, Role.WORKER))
    assert json.loads(env["POLYAXON_CLUSTER"]) == {
        "master": ["10.0.0.1:2222"],
        "worker": ["w0:1", "w1:2"],
        "ps": [],
    }


@pytest.mark.parametrize(
    ("role", "index", "rank"), [(Role.MASTER, 0, "0"), (Role.WORKER, 0, "1"), (Role.WORKER, 1, "2")]
)
def test_pytorch_has_ranks(role: Role, index: int, rank: str) -> None:
    env = variables(job(role, index), "pytorch", roles=(Role.MASTER, Role.WORKER))
    names = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "LOCAL_RANK")
    assert [env[name] for name in names] == ["10.0.0.1", "2222", "3", rank, "0"]


@pytest.mark.parametrize(
    ("role", "index", "own"),
    [
        (Role.MASTER, 0, {"DMLC_ROLE": "scheduler"}),
        (Role.WORKER, 1, {"DMLC_ROLE": "worker", "DMLC_WORKER_ID": "1"}),
        (Role.SERVER, 0, {"DMLC_ROLE": "server", "DMLC_SERVER_ID": "0"}),
    ],
)
def test_mxnet_has_a_scheduler_workers_and_servers(role: Role, index: int, own: dict[str, str]) -> None:
    env = variables(job(role, index), "mxnet", roles=(Role.MASTER, Role.WORKER, Role.SERVER))
    assert {name: value for name, value in env.items() if name.startswith("DMLC")} == {
        "DMLC_NUM_WORKER": "2",
        "DMLC_NUM_SERVER": "1",
        "DMLC_PS_ROOT_URI": "10.0.0.1",
        "DMLC_PS_ROOT_PORT": "2222",
        **own,
    }


def test_horovod_finds_its_hosts_in_the_cluster() -> None:
    env = variables(framework="horovod", roles=(Role.MASTER, Role.WORKER))
    assert json.loads(env["POLYAXON_CLUSTER"]) == {"master": ["10.0.0.1:2222"], "worker": ["w0:1", "w1:2"]}
    assert not [name for name in env if name.startswith(("TF_", "DMLC", "MASTER"))]
