"""How a pod ends is what its job says, in words a person can act on; all on the real cluster."""

import asyncio
import re
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from app.domain.lifecycle import Role, Status
from app.domain.runs import Amounts, JobSpec, Resources, RunSpec
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.launchers.kubernetes.seeing import is_, lines_of, over, ran, runs, until
from tests.launchers.kubernetes.specs import BUSYBOX, PYTHON, job_of, run_of

SMALL = Resources(limits=Amounts(memory=64 << 20))
EATS = "x=$(head -c 200m /dev/zero | tr '\\0' x); echo $?"
NONE = "registry.bunsen.test:5000/none:1"


def job(**more: Any) -> JobSpec:
    return job_of(**more)


ENDS: dict[str, tuple[RunSpec, Status, str, int | None]] = {
    "exit 0": (run_of("echo done"), Status.SUCCEEDED, "", 0),
    "exit 3": (run_of("exit 3"), Status.FAILED, "failed with exit code 3", 3),
    "a list stops at its failure": (run_of("true && false && exit 4"), Status.FAILED, "exit code 1", 1),
    "a signal": (run_of("kill -9 $$"), Status.FAILED, r"ended by SIGKILL \(exit code 137\)", 137),
    "no such program": (run_of("there-is-none"), Status.FAILED, "failed with exit code 127", 127),
    "out of memory": (
        run_of(EATS, job(resources=SMALL)),
        Status.FAILED,
        r"out of memory \(OOM\): over its limit of 64 MiB",
        137,
    ),
    "no such image": (run_of("true", image=NONE), Status.FAILED, "ErrImagePull: .*none:1", None),
    "an image name that can't be": (
        run_of("true", image="UPPER:Case!"),
        Status.FAILED,
        "InvalidImageName: ",
        None,
    ),
    "an image without a shell's command": (
        run_of("exec /no/such/file", image=PYTHON),
        Status.FAILED,
        "exit code 127",
        127,
    ),
    "over its timeout": (
        run_of("sleep 100", timeout=1.0),
        Status.FAILED,
        "ran longer than its timeout of 1 s",
        143,
    ),
    "a secret that isn't there": (
        run_of("true", secret_refs=("nowhere",)),
        Status.FAILED,
        'CreateContainerConfigError: secret "nowhere" not found',
        None,
    ),
}


@pytest.fixture
def options(options: KubernetesOptions) -> KubernetesOptions:
    return replace(options, secrets={"nowhere": "nowhere"})


async def test_each_end_is_told_in_words(launcher: KubernetesLauncher) -> None:
    """All at once, since each waits for the cluster."""
    seen = await asyncio.gather(*(ran(launcher, run) for run, *_ in ENDS.values()))
    wrong = {
        name: found
        for found, (name, (_, status, words, code)) in zip(seen, ENDS.items(), strict=True)
        if (found.status, found.exit_code) != (status, code) or not re.search(words, found.message or "")
    }
    assert not wrong
    for found in seen:
        assert found.node == "node-1"
        assert not found.infrastructure
        if found.started_at and found.finished_at:
            assert found.started_at <= found.finished_at
    retried = {name for found, name in zip(seen, ENDS, strict=True) if found.retryable}
    assert ENDS.keys() - retried == {"over its timeout", "an image name that can't be"}


async def test_what_no_node_takes_waits_with_the_schedulers_words(launcher: KubernetesLauncher) -> None:
    wide = Resources(requests=Amounts(cpu=1000))
    devices = Resources(limits=Amounts(gpu=5))
    jobs = {
        "Insufficient cpu": job(resources=wide),
        "Insufficient nvidia.com/gpu": job(resources=devices),
        "didn't match Pod's node affinity/selector": job(node_selector={"disk": "none"}),
    }
    for each in jobs.values():
        await launcher.launch(run_of("true", each))
    for words, each in jobs.items():
        seen = await until(launcher, each.ref, lambda seen: bool(seen.message))
        assert seen.status is Status.SCHEDULED
        assert words in str(seen.message)
        await launcher.stop(each.ref, 5)
    for each in jobs.values():
        assert (await until(launcher, each.ref)).status is Status.STOPPED


async def test_gpus_are_counted(launcher: KubernetesLauncher) -> None:
    run = run_of("echo $NVIDIA_VISIBLE_DEVICES", job(resources=Resources(limits=Amounts(gpu=1))))
    assert (await ran(launcher, run)).status is Status.SUCCEEDED
    assert await lines_of(launcher, run.jobs[0].ref) != ["none"]


class TestDeletedBySomebodyElse:
    async def test_before_its_end_it_failed_and_is_not_tried_again(
        self, launcher: KubernetesLauncher, cluster: Cluster, namespace: str
    ) -> None:
        run = run_of("trap 'exit 0' TERM; sleep 100 & wait")
        ref = run.jobs[0].ref
        await launcher.launch(run)
        await until(launcher, ref, runs)
        await cluster.delete(f"/api/v1/namespaces/{namespace}/pods/{ref.name}", grace=3)
        seen = await until(launcher, ref)
        assert (seen.status, seen.message) == (Status.FAILED, "deleted by someone else")
        assert not seen.retryable

    async def test_after_its_end_that_counts_and_the_finalizer_keeps_it(
        self, launcher: KubernetesLauncher, cluster: Cluster, namespace: str
    ) -> None:
        run = run_of("echo it; exit 3")
        ref = run.jobs[0].ref
        await ran(launcher, run)
        assert await lines_of(launcher, ref) == ["it"]
        await asyncio.sleep(2)  # kubelets tell whole seconds
        await cluster.delete(f"/api/v1/namespaces/{namespace}/pods/{ref.name}")
        pods, _ = await cluster.list(f"/api/v1/namespaces/{namespace}/pods")
        assert [pod["metadata"].get("deletionTimestamp") is not None for pod in pods] == [True]
        seen = await until(launcher, ref)
        assert (seen.status, seen.exit_code) == (Status.FAILED, 3)
        assert seen.message == "failed with exit code 3"


async def test_an_evicted_pod_is_a_failure_of_the_infrastructure(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str
) -> None:
    run = run_of("sleep 100")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(launcher, ref, runs)
    path = f"/api/v1/namespaces/{namespace}/pods/{ref.name}"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": ref.name}}
    await cluster.create(f"{path}/eviction", body)
    seen = await until(launcher, ref)
    assert seen.status is Status.FAILED
    assert seen.infrastructure
    assert "infrastructure: EvictionByEvictionAPI" in str(seen.message)


async def test_a_pod_whose_node_was_deleted_is_unknown(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str
) -> None:
    """Until the cluster says that it is over, which takes a minute: a node that nothing stands behind."""
    mark = {"bunsen.test/node": namespace}
    taint = {"key": "bunsen.test/node", "effect": "NoSchedule"}
    has = {"capacity": {"cpu": "1", "memory": "1Gi", "pods": "1"}}
    node = {"metadata": {"name": namespace, "labels": mark}, "spec": {"taints": [taint]}, "status": has}
    await cluster.create("/api/v1/nodes", node)
    run = run_of("sleep 100", job(node_selector=mark, tolerations=({"operator": "Exists"},)))
    ref = run.jobs[0].ref
    try:
        await launcher.launch(run)
        await until(launcher, ref, is_(Status.STARTING))
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        main = {**{"name": "main", "image": BUSYBOX, "imageID": "", "ready": True}, "restartCount": 0}
        status = {"phase": "Running", "containerStatuses": [{**main, "state": running}]}
        await cluster.patch(f"/api/v1/namespaces/{namespace}/pods/{ref.name}/status", {"status": status})
        await until(launcher, ref, runs)
    finally:
        await cluster.delete(f"/api/v1/nodes/{namespace}")
    seen = await until(launcher, ref, is_(Status.UNKNOWN))
    assert seen.message == f"its node {namespace} does not answer: it was deleted"


class TestStop:
    """SIGTERM reaches every process of the command, and the exit code is the command's."""

    SHELLS = (("/bin/sh", BUSYBOX), ("/bin/sh", PYTHON), ("/bin/bash", PYTHON))
    SAVES = "sh -c \"trap 'echo saved \\$0; exit 0' TERM; sleep 100 & wait\""
    COMMANDS: ClassVar = {
        "one": (f"exec {SAVES} a", ["saved a"]),
        "a list": (f"true && {SAVES} b", ["saved b"]),
        "a pipe": (f"{SAVES} c | sh -c \"trap '' TERM; cat\"", ["saved c"]),
        "two beside each other": (f"{SAVES} d & {SAVES} e", ["saved d", "saved e"]),
    }

    async def test_in_every_shell_and_form(
        self, launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs_of = {
            (shell, image, name): run_of(command, image=image)
            for shell, image in self.SHELLS
            for name, (command, _) in self.COMMANDS.items()
        }
        for (shell, _, _), run in runs_of.items():
            monkeypatch.setattr("app.launchers.kubernetes.manifest.SHELL", shell)
            await launcher.launch(run)
        refs = {key: run.jobs[0].ref for key, run in runs_of.items()}
        await asyncio.gather(*(until(launcher, ref, runs) for ref in refs.values()))
        logs = [asyncio.create_task(lines_of(launcher, ref)) for ref in refs.values()]
        await asyncio.sleep(1)  # the shells set their traps
        for ref in refs.values():
            await launcher.stop(ref, 20)
        ends = await asyncio.gather(*(until(launcher, ref) for ref in refs.values()))
        assert {seen.status for seen in ends} == {Status.STOPPED}
        said = dict(zip(refs, [sorted(lines) for lines in await asyncio.gather(*logs)], strict=True))
        assert said == {key: self.COMMANDS[key[2]][1] for key in refs}

    async def test_a_command_that_holds_out_is_killed_after_the_grace(
        self, launcher: KubernetesLauncher
    ) -> None:
        run = run_of("trap '' TERM; while true; do sleep 1; done")
        ref = run.jobs[0].ref
        await launcher.launch(run)
        await until(launcher, ref, runs)
        await launcher.stop(ref, 2)
        seen = await until(launcher, ref)
        assert (seen.status, seen.exit_code) == (Status.STOPPED, 137)

    async def test_one_that_was_asked_to_end_before_its_launch_gets_no_pod(
        self, launcher: KubernetesLauncher, cluster: Cluster, namespace: str
    ) -> None:
        run = run_of("true", job(), job(role=Role.WORKER))
        for each in run.jobs:
            await launcher.stop(each.ref, 5)
        assert await launcher.launch(run) == {}
        pods, _ = await cluster.list(f"/api/v1/namespaces/{namespace}/pods")
        assert not pods


async def test_the_command_s_exit_code_is_kept_over_a_signal_that_it_survives(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str
) -> None:
    run = run_of("trap 'exit 7' TERM; sleep 100 & wait")
    ref = run.jobs[0].ref
    await launcher.launch(run)
    await until(launcher, ref, runs)
    await asyncio.sleep(1)
    await launcher.stop(ref, 20)
    assert (await until(launcher, ref, over)).exit_code == 7


async def test_starting_comes_before_running(launcher: KubernetesLauncher) -> None:
    run = run_of("sleep 1")
    await launcher.launch(run)
    first = await until(launcher, run.jobs[0].ref, is_(Status.SCHEDULED, Status.STARTING))
    assert first.started_at is None
    assert (await until(launcher, run.jobs[0].ref)).started_at is not None
