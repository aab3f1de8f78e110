"""What a spec asks is in the manifests, in Kubernetes' own form; the token is in its Secret alone."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.domain.lifecycle import Role
from app.domain.runs import Amounts, Resources, RunKind, RunSpec
from app.launchers.base import LaunchRefused
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.manifest import RunObjects, objects_of, owned
from app.launchers.kubernetes.names import END, FINALIZER
from app.volumes import Volume
from tests.launchers.kubernetes.specs import BUSYBOX, PYTHON, job_of, options_of, run_of

HERE = Path("/srv/bunsen")
OPTIONS = options_of(HERE)


def made(run: RunSpec, **more: Any) -> RunObjects:
    return objects_of(run, replace(OPTIONS, **more), {})


def pod_of(run: RunSpec, **more: Any) -> dict[str, Any]:
    return next(iter(made(run, **more).pods.values()))


def main_of(run: RunSpec, **more: Any) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(run, **more)["spec"]["containers"][0]
    return container


def plain(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


def test_a_pod_is_bare_named_by_its_attempt_and_kept_by_our_finalizer() -> None:
    run = run_of("true")
    pod = pod_of(run)
    assert pod["metadata"]["name"] == f"{run.jobs[0].ref.uuid}-1"
    assert pod["metadata"]["finalizers"] == [FINALIZER]
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 5


def test_its_wrapper_ends_its_log_with_a_line_that_stands_nowhere_in_it() -> None:
    """Else `ps` or `env` in a job would print it."""
    run = run_of("true")
    pod = pod_of(run)
    end = pod["metadata"]["annotations"][END]
    assert end == end_line(run.jobs[0].ref.name)
    assert end not in json.dumps(pod["spec"])


def test_the_token_is_in_the_secret_and_nowhere_else() -> None:
    run = run_of("true", token="s3cr3t-token", code="abc")
    objects = made(run)
    assert objects.secret is not None
    assert base64.b64decode(objects.secret["data"]["token"]) == b"s3cr3t-token"
    for item in (objects.owner, *objects.pods.values()):
        assert "s3cr3t-token" not in json.dumps(item)
        assert objects.secret["data"]["token"] not in json.dumps(item)
    found = {item["name"] for item in main_of(run)["env"] if "valueFrom" in item}
    assert found == {"POLYAXON_SECRET_EPHEMERAL_TOKEN", "POLYAXON_SECRET_USER_TOKEN"}


def test_no_account_no_escalation_no_root() -> None:
    spec = pod_of(run_of("true"))["spec"]
    assert spec["automountServiceAccountToken"] is False
    security = spec["securityContext"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (10001, 10001, 10001)
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


def test_a_tensorboard_is_reached_at_its_service_and_changes_nothing() -> None:
    run = replace(run_of("serve", token="s3cr3t"), kind=RunKind.TENSORBOARD)
    objects = made(run, tensorboard_image="tb:1")
    assert objects.service is not None
    assert objects.service["spec"]["ports"] == [{"name": "http", "port": 6006}]
    assert "clusterIP" not in objects.service["spec"]
    (pod,) = objects.pods.values()
    assert objects.service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (main,) = pod["spec"]["containers"]
    assert main["image"] == "tb:1"
    assert [item["name"] for item in main["env"] if "valueFrom" in item] == ["BUNSEN_TENSORBOARD_SECRET"]
    assert [mount for mount in main["volumeMounts"] if mount["name"].startswith("volume")] == [
        {
            "name": "volume-0",
            "mountPath": f"/srv/bunsen/outputs/{run.outputs}",
            "readOnly": True,
        }
    ]
    with pytest.raises(LaunchRefused, match="BUNSEN_TENSORBOARD_IMAGE"):
        made(run)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(), {}),
        (
            Resources(Amounts(cpu=0.5, memory=64 << 20), Amounts(cpu=2, memory=128 << 20)),
            {
                "requests": {"cpu": "500m", "memory": "67108864"},
                "limits": {"cpu": "2000m", "memory": "134217728"},
            },
        ),
        (
            Resources(Amounts(gpu=1), Amounts(gpu=2)),
            {"requests": {"nvidia.com/gpu": "2"}, "limits": {"nvidia.com/gpu": "2"}},
        ),
        (
            Resources(Amounts(gpu=1)),
            {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}},
        ),
    ],
)
def test_resources(resources: Resources, expected: dict[str, Any]) -> None:
    assert main_of(run_of("true", job_of(resources=resources)))["resources"] == expected


def test_where_a_pod_may_go_is_said_as_the_spec_says_it() -> None:
    toleration = {"key": "gpu", "operator": "Exists"}
    affinity: dict[str, object] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}
    job = job_of(node_selector={"disk": "ssd"}, affinity=affinity, tolerations=(toleration,))
    spec = pod_of(run_of("true", job))["spec"]
    assert (spec["nodeSelector"], spec["affinity"], spec["tolerations"]) == (
        {"disk": "ssd"},
        affinity,
        [toleration],
    )
    assert not {"nodeSelector", "affinity", "tolerations"} & pod_of(run_of("true"))["spec"].keys()


def test_dollars_reach_the_command_and_the_variables_as_they_were_written() -> None:
    run = run_of("echo $HOME $$ $(hostname)", env_vars=(("A", "$(HOME) $$"),))
    assert main_of(run)["command"][-1] == "echo $$HOME $$$$ $$(hostname)"
    assert plain(main_of(run))["A"] == "$$(HOME) $$$$"


def test_the_specs_own_variables_win_over_the_token() -> None:
    run = run_of("true", token="s3cr3t", env_vars=(("POLYAXON_SECRET_USER_TOKEN", "mine"),))
    found = [item for item in main_of(run)["env"] if item["name"] == "POLYAXON_SECRET_USER_TOKEN"]
    assert found == [{"name": "POLYAXON_SECRET_USER_TOKEN", "value": "mine"}]


def test_the_image_is_the_built_one_else_the_specs_else_the_settings() -> None:
    assert main_of(run_of("true", environment="built"))["image"] == "built"
    assert main_of(run_of("true"))["image"] == BUSYBOX
    assert main_of(run_of("true", image=None))["image"] == PYTHON


class TestVolumes:
    def test_a_pod_sees_its_own_outputs_alone_at_the_services_path(self) -> None:
        run = run_of("true")
        spec = pod_of(run)["spec"]
        path = f"/srv/bunsen/outputs/{run.outputs}"
        (volume,) = [volume for volume in spec["volumes"] if "hostPath" in volume]
        assert volume["hostPath"] == {"path": path, "type": "Directory"}
        mounts = [m for m in spec["containers"][0]["volumeMounts"] if m["name"] == volume["name"]]
        assert mounts == [{"name": volume["name"], "mountPath": path}]
        assert plain(main_of(run))["POLYAXON_RUN_OUTPUTS_PATH"] == path

    def test_others_outputs_are_read_only(self) -> None:
        run = run_of("true", reads=("b" * 32,))
        claim = Volume("pvc", "shared", "/mnt/shared")
        (pod,) = objects_of(run, OPTIONS, {"b" * 32: claim}).pods.values()
        main = pod["spec"]["containers"][0]
        mount = next(m for m in main["volumeMounts"] if m.get("subPath") == "b" * 32)
        assert mount["readOnly"] is True
        assert mount["mountPath"] == f"/mnt/shared/{'b' * 32}"
        assert {"persistentVolumeClaim": {"claimName": "shared"}, "name": mount["name"]} in pod["spec"][
            "volumes"
        ]
        paths = json.loads(plain(main)["POLYAXON_REFS_OUTPUTS_PATHS"])
        assert paths == {"experiments": [mount["mountPath"]]}

    def test_data_is_read_only_and_its_path_is_told(self) -> None:
        run = run_of("true", data_volumes=("mnist",))
        main = main_of(run, data_volumes={"mnist": Volume("pvc", "data", None)})
        mount = next(m for m in main["volumeMounts"] if m["mountPath"] == "/data/mnist")
        assert mount["readOnly"] is True
        assert json.loads(plain(main)["POLYAXON_RUN_DATA_PATHS"]) == {"mnist": "/data/mnist"}

    def test_shared_memory_is_memory(self) -> None:
        spec = pod_of(run_of("true"))["spec"]
        assert {"name": "shm", "emptyDir": {"medium": "Memory"}} in spec["volumes"]


class TestRefused:
    """A name that the settings know no more, and what Linux starts no program with."""

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"data_volumes": ("x",)}, "no data volume 'x'"),
            ({"outputs_volume": "x"}, "no outputs volume 'x'"),
            ({"secret_refs": ("x",)}, "no secret 'x'"),
            ({"configmap_refs": ("x",)}, "no configmap 'x'"),
            ({"env_vars": (("A", "x" * 131_072),)}, "variable A is too long"),
            ({"command": "x" * 131_072}, "command is too long"),
        ],
    )
    def test_with_the_reason(self, more: dict[str, Any], said: str) -> None:
        with pytest.raises(LaunchRefused, match=said):
            made(replace(run_of("true"), **more))


def test_secrets_and_configmaps_become_variables_by_the_names_in_the_namespace() -> None:
    run = run_of("true", secret_refs=("s3", "plain"), configmap_refs=("site",))
    main = main_of(run, secrets={"s3": "s3-credentials", "plain": ""}, configmaps={"site": "site-map"})
    assert main["envFrom"] == [
        {"configMapRef": {"name": "site-map"}},
        {"secretRef": {"name": "s3-credentials"}},
        {"secretRef": {"name": "plain"}},
    ]


class TestSeveralRoles:
    JOBS = (job_of(), job_of(Role.WORKER, 0), job_of(Role.WORKER, 1), job_of(Role.PS, 0))

    def test_each_has_a_name_below_one_headless_service(self) -> None:
        run = run_of("true", *self.JOBS, framework="tensorflow")
        objects = made(run)
        assert objects.service is not None
        assert objects.service["spec"]["clusterIP"] == "None"
        assert objects.service["spec"]["publishNotReadyAddresses"] is True
        service = objects.service["metadata"]["name"]
        hosts = [pod["spec"]["hostname"] for pod in objects.pods.values()]
        assert hosts == ["master-0", "worker-0", "worker-1", "ps-0"]
        for pod in objects.pods.values():
            assert pod["spec"]["subdomain"] == service
            selector = objects.service["spec"]["selector"]
            assert selector.items() <= pod["metadata"]["labels"].items()
            cluster = json.loads(plain(pod["spec"]["containers"][0])["TF_CONFIG"])["cluster"]
            assert cluster["worker"] == [f"worker-0.{service}:2222", f"worker-1.{service}:2222"]

    def test_each_waits_for_the_names_of_all(self) -> None:
        objects = made(run_of("true", *self.JOBS))
        for pod in objects.pods.values():
            env = plain(pod["spec"]["initContainers"][0])
            assert [name.partition(".")[0] for name in env["PEERS"].split()] == [
                *("master-0", "worker-0", "worker-1", "ps-0")
            ]

    def test_one_alone_has_no_service_and_waits_for_nobody(self) -> None:
        objects = made(run_of("true"))
        assert objects.service is None
        assert "initContainers" not in pod_of(run_of("true"))["spec"]


def test_the_code_is_fetched_with_the_experiments_token_from_its_own_url() -> None:
    run = run_of("true", token="s3cr3t", code="abc")
    init = pod_of(run)["spec"]["initContainers"][0]
    assert plain(init)["CODE_URL"] == "http://service.test:8000/api/v1/ada/mnist/experiments/7/code"
    assert any(item["name"] == "TOKEN" and "valueFrom" in item for item in init["env"])
    paths = {mount["mountPath"] for mount in init["volumeMounts"]}
    assert paths == {"/code", "/bunsen/tmp"}  # nothing of the experiment's outputs


def test_all_that_a_run_has_gets_its_owner() -> None:
    run = run_of("true", *TestSeveralRoles.JOBS, token="s3cr3t")
    objects = made(run)
    owner = objects.owner | {"metadata": objects.owner["metadata"] | {"uid": "u-1"}}
    for item in (objects.secret, objects.service, *objects.pods.values()):
        assert item is not None
        (reference,) = owned(item, owner)["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["uid"]) == ("ConfigMap", "u-1")
        assert "ownerReferences" not in item["metadata"]
