"""Launching twice starts one pod; nothing of a stranger is touched; what is forgotten leaves nothing."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.domain.lifecycle import Role, Status
from app.domain.runs import JobRef
from app.launchers.base import LaunchDelayed, LauncherUnusable, LaunchRefused
from app.launchers.kubernetes import helpers, proof
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.launchers.kubernetes.seeing import LONGEST, lines_of, over, ran, runs, until
from tests.launchers.kubernetes.specs import PYTHON, job_of, run_of

KINDS = ("pods", "configmaps", "secrets", "services")


async def left(cluster: Cluster, namespace: str) -> dict[str, list[str]]:
    """All that is in the namespace but for what Kubernetes puts there."""
    found = {}
    for kind in KINDS:
        items, _ = await cluster.list(f"/api/v1/namespaces/{namespace}/{kind}")
        names = [item["metadata"]["name"] for item in items]
        if names := [name for name in names if name != "kube-root-ca.crt"]:
            found[kind] = names
    return found


async def pod_of(cluster: Cluster, namespace: str, ref: JobRef) -> dict[str, Any]:
    return await cluster.get(f"/api/v1/namespaces/{namespace}/pods/{ref.name}")


async def test_a_run_that_is_forgotten_leaves_nothing(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str
) -> None:
    run = run_of("sleep 100", job_of(), job_of(Role.WORKER), token="s3cr3t")
    await launcher.launch(run)
    assert {kind: len(names) for kind, names in (await left(cluster, namespace)).items()} == {
        **{"pods": 2, "configmaps": 1},
        **{"secrets": 1, "services": 1},
    }
    await until(launcher, run.jobs[0].ref, runs)
    await launcher.forget(run.jobs[0].ref)
    assert "configmaps" in await left(cluster, namespace), "the other job needs the owner yet"
    await launcher.forget(run.jobs[1].ref)
    async with asyncio.timeout(60):
        while await left(cluster, namespace):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await launcher.forget(run.jobs[0].ref)
    assert await launcher.known() == []


async def test_launching_again_adopts_also_in_another_process(
    launcher: KubernetesLauncher, options: KubernetesOptions, cluster: Cluster, namespace: str
) -> None:
    run = run_of("sleep 100", token="first")
    ref = run.jobs[0].ref
    await asyncio.gather(launcher.launch(run), launcher.launch(run))
    uid = (await pod_of(cluster, namespace, ref))["metadata"]["uid"]
    other = KubernetesLauncher(options)
    await other.start()
    try:
        assert await other.known() == [ref]
        definitions = await other.launch(replace(run, token="second"))
        assert (await pod_of(cluster, namespace, ref))["metadata"]["uid"] == uid
        assert ref in definitions
        assert "second" not in json.dumps(definitions[ref])
        secret = await cluster.get(f"/api/v1/namespaces/{namespace}/secrets/bunsen-{run.uuid}-1")
        assert base64.b64decode(secret["data"]["token"]) == b"second"
    finally:
        await other.close()


async def test_a_strangers_pod_is_left_alone(
    launcher: KubernetesLauncher, options: KubernetesOptions, cluster: Cluster, namespace: str
) -> None:
    """Also another installation's."""
    run = run_of("true")
    (ref,) = (job.ref for job in run.jobs)
    stranger = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": ref.name},
        "spec": {"containers": [{"name": "main", "image": PYTHON, "command": ["sleep", "100"]}]},
    }
    made = await cluster.create(f"/api/v1/namespaces/{namespace}/pods", stranger)
    with pytest.raises(LaunchRefused, match="is not this service's; it was left alone"):
        await launcher.launch(run)
    await launcher.forget(ref)
    assert (await pod_of(cluster, namespace, ref))["metadata"]["uid"] == made["metadata"]["uid"]
    assert await left(cluster, namespace) == {"pods": [ref.name]}

    theirs = KubernetesLauncher(replace(options, installation="theirs"))
    proof.remember(cluster, options)
    await theirs.start()
    try:
        other = run_of("sleep 100")
        await theirs.launch(other)
        assert await launcher.known() == []
        assert await launcher.observe([other.jobs[0].ref]) == {}
    finally:
        await theirs.close()


async def test_a_quota_delays_with_the_clusters_words_and_leaves_nothing(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
    await cluster.create(path, quota)
    async with asyncio.timeout(30):  # until it is counted
        while not (await cluster.get(f"{path}/small")).get("status", {}).get("hard"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    run = run_of("true", job_of(), job_of(Role.WORKER))
    with pytest.raises(LaunchDelayed, match="exceeded quota: small"):
        await launcher.launch(run)
    async with asyncio.timeout(60):
        while await left(cluster, namespace):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await cluster.delete(f"{path}/small")
    await launcher.launch(run)
    assert (await until(launcher, run.jobs[0].ref)).status is Status.SUCCEEDED


async def test_what_the_cluster_refuses_is_refused_with_its_words(launcher: KubernetesLauncher) -> None:
    run = run_of("true", job_of(node_selector={"not a label": "x"}))
    with pytest.raises(LaunchRefused, match=r"the cluster refuses its pod: .*not a label"):
        await launcher.launch(run)


async def test_owners_without_pods_go_at_the_next_start(
    launcher: KubernetesLauncher, options: KubernetesOptions, cluster: Cluster, namespace: str
) -> None:
    kept, lost = run_of("sleep 100"), run_of("sleep 100")
    for run in (kept, lost):
        await launcher.launch(run)
    path = f"/api/v1/namespaces/{namespace}/pods/{lost.jobs[0].ref.name}"
    await cluster.patch(path, {"metadata": {"finalizers": None}})
    await cluster.delete(path, grace=0)
    other = KubernetesLauncher(options)
    await other.start()
    await other.close()
    assert (await left(cluster, namespace))["configmaps"] == [f"bunsen-{kept.uuid}"]


async def test_an_owner_goes_with_its_last_pod_though_the_watch_has_not_told_of_that_yet(
    launcher: KubernetesLauncher, cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("true")
    await ran(launcher, run)
    as_it_was = launcher._knowledge.pods()
    monkeypatch.setattr(launcher._knowledge, "pods", lambda: as_it_was)
    await launcher.forget(run.jobs[0].ref)
    async with asyncio.timeout(LONGEST):
        while await left(cluster, namespace):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


class TestWhatAJobSees:
    async def test_itself(
        self, launcher: KubernetesLauncher, options: KubernetesOptions, cluster: Cluster, namespace: str
    ) -> None:
        """Its user, its folders, a secret's value, no account; and the service sees what it wrote."""
        secret = {"metadata": {"name": "s3"}, "stringData": {"S3_KEY": "value $HOME"}}
        await cluster.create(f"/api/v1/namespaces/{namespace}/secrets", secret)
        command = """set -e
            id -u; id -g; pwd; echo $HOME; echo $USER; echo "$S3_KEY"; echo "$A"; echo '$(date) $$'
            touch $HOME/x $TMPDIR/x /code/x /dev/shm/x $POLYAXON_RUN_OUTPUTS_PATH/x
            ls /var/run/secrets/kubernetes.io 2>/dev/null || echo no account
            df /dev/shm | tail -1 | cut -d' ' -f1
            ls $(dirname $POLYAXON_RUN_OUTPUTS_PATH)"""
        run = run_of(command, secret_refs=("s3",), env_vars=(("A", "$(HOME) $$"),))
        mine = KubernetesLauncher(replace(options, secrets={"s3": ""}))
        await mine.start()
        try:
            assert (await ran(mine, run)).status is Status.SUCCEEDED
            assert await lines_of(mine, run.jobs[0].ref) == [
                *("10001", "10001", "/code", "/bunsen/home", "bunsen", "value $HOME", "$(HOME) $$"),
                *("$(date) $$", "no account", "tmpfs", str(run.outputs)),
            ]
        finally:
            await mine.close()
        written = Path(str(options.outputs.path)) / str(run.outputs) / "x"
        assert (written.stat().st_uid, written.stat().st_gid) == (10001, 10001)

    async def test_others_outputs_read_only(
        self, launcher: KubernetesLauncher, options: KubernetesOptions
    ) -> None:
        first = run_of("echo it > $POLYAXON_RUN_OUTPUTS_PATH/f")
        await ran(launcher, first)
        path = f"{options.outputs.path}/{first.outputs}"
        second = run_of(
            f"cat {path}/f; touch {path}/g || echo read-only; echo $POLYAXON_REFS_OUTPUTS_PATHS",
            reads=(str(first.outputs), "f" * 32),
        )
        await ran(launcher, second)
        lines = await lines_of(launcher, second.jobs[0].ref)
        assert {"it", "read-only", json.dumps({"experiments": [path]})} <= set(lines)


SERVER = """
import json, os, socket, time
task, cluster = json.loads(os.environ["POLYAXON_TASK_INFO"]), json.loads(os.environ["POLYAXON_CLUSTER"])
if task["type"] == "master":
    with socket.create_server(("", 2222)) as server:
        seen = []
        for _ in range(2):
            peer, _ = server.accept()
            seen.append(peer.makefile().readline().strip())
            peer.close()
    print(sorted(seen))
else:
    host, _, port = cluster["master"][0].rpartition(":")
    socket.getaddrinfo(host, port)  # its name is there at once
    for other in cluster["worker"]:
        socket.getaddrinfo(other.rpartition(":")[0], port)
    for _ in range(200):
        try:
            with socket.create_connection((host, int(port))) as peer:
                peer.sendall(b"worker %d\\n" % task["index"])
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
"""


async def test_roles_find_each_other_by_name_and_exchange_data(launcher: KubernetesLauncher) -> None:
    jobs = (job_of(), job_of(Role.WORKER, 0), job_of(Role.WORKER, 1))
    run = run_of(f"python3 -u -c '{SERVER}'", *jobs, image=PYTHON)
    await launcher.launch(run)
    for job in jobs:
        assert (await until(launcher, job.ref, over)).status is Status.SUCCEEDED
    assert await lines_of(launcher, jobs[0].ref) == ["['worker 0', 'worker 1']"]


class TestTheProof:
    @pytest.fixture(autouse=True)
    def _tried_for_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(helpers, "_TRIES", 3.0)

    async def test_a_service_that_pods_do_not_reach_does_not_start(self, options: KubernetesOptions) -> None:
        launcher = KubernetesLauncher(replace(options, api_url="http://host.bunsen.test:28999"))
        with pytest.raises(LauncherUnusable) as refused:
            await launcher.start()
        assert str(refused.value).startswith(
            "Pods don't reach the service at http://host.bunsen.test:28999 (BUNSEN_ADVERTISE_URL): "
        )

    async def test_nor_one_that_does_not_see_the_volume(self, options: KubernetesOptions) -> None:
        blind = replace(options.outputs, source="/var/lib")
        launcher = KubernetesLauncher(replace(options, outputs=blind, proof_seconds=20.0))
        with pytest.raises(LauncherUnusable):
            await launcher.start()


async def test_outputs_that_the_service_may_not_delete_are_cleared_by_a_pod(
    launcher: KubernetesLauncher, options: KubernetesOptions
) -> None:
    folder = Path(str(options.outputs.path)) / ("a" * 32)
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("x")
    (folder / "deep" / "file").chmod(0o600)
    await launcher.clear_outputs("a" * 32, None)
    assert list(folder.iterdir()) == []
