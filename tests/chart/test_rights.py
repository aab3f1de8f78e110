"""Whom the chart gives rights, needs each of them: without any, something fails and says so."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.group import bunsen
from app.domain.lifecycle import Role
from app.domain.runs import RunSpec
from app.launchers.base import LaunchDelayed, LauncherAway
from app.launchers.kubernetes import launcher as launcher_module
from app.launchers.kubernetes import proof
from app.launchers.kubernetes.client import ApiRefused, Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from tests.chart.rendering import TRIAL, objects
from tests.launchers.kubernetes.accounts import Rule, account, write_kubeconfig
from tests.launchers.kubernetes.conftest import cluster, namespace, options, shared_folder
from tests.launchers.kubernetes.specs import BUSYBOX, job_of, run_of

__all__ = ["cluster", "namespace", "options", "shared_folder"]

pytestmark = pytest.mark.cluster

Right = tuple[str, str, str]  # the API's group, the resource, the verb
Operation = Callable[[KubernetesLauncher], Awaitable[None]]
NOWHERE = {"bunsen.test/none": "true"}  # the label of no node: nothing here needs to run


def a_run() -> RunSpec:
    jobs = (job_of(node_selector=NOWHERE), job_of(Role.WORKER, node_selector=NOWHERE))
    return run_of("true", *jobs, token="one")


async def starting(launcher: KubernetesLauncher) -> None:
    """Done before every operation."""


async def knowing(launcher: KubernetesLauncher) -> None:
    for _ in range(250):
        if "is forbidden" in (trouble := launcher.trouble() or ""):
            raise LauncherAway(trouble)
        await asyncio.sleep(0.02)


async def launching(launcher: KubernetesLauncher) -> None:
    await launcher.launch(a_run())


async def launching_again(launcher: KubernetesLauncher) -> None:
    run = a_run()
    await launcher.launch(run)
    await launcher.launch(replace(run, token="another"))


async def reading_a_log(launcher: KubernetesLauncher) -> None:
    run = a_run()
    await launcher.launch(run)
    await launcher.last_lines(run.jobs[0].ref, 1)


async def measuring(launcher: KubernetesLauncher) -> None:
    run = a_run()
    await launcher.launch(run)
    await launcher.usage([run.jobs[0].ref])


async def stopping(launcher: KubernetesLauncher) -> None:
    run = a_run()
    await launcher.launch(run)
    await launcher.stop(run.jobs[0].ref, 0)


async def forgetting(launcher: KubernetesLauncher) -> None:
    run = a_run()
    await launcher.launch(run)
    for job in run.jobs:
        await launcher.forget(job.ref)


async def everything(launcher: KubernetesLauncher) -> None:
    for operation in dict.fromkeys(FAILS.values()):
        await operation(launcher)


FAILS: dict[Right, Operation] = {
    ("", "pods", "create"): launching,
    ("", "pods", "get"): launching_again,
    ("", "pods", "list"): starting,
    ("", "pods", "watch"): knowing,
    ("", "pods", "patch"): forgetting,
    ("", "pods", "delete"): forgetting,
    ("", "pods/status", "patch"): stopping,
    ("", "pods/log", "get"): reading_a_log,
    ("", "configmaps", "create"): launching,
    ("", "configmaps", "get"): launching_again,
    ("", "configmaps", "list"): starting,
    ("", "configmaps", "delete"): forgetting,
    ("", "secrets", "create"): launching,
    ("", "secrets", "get"): launching_again,
    ("", "secrets", "patch"): launching_again,
    ("", "services", "create"): launching,
    ("", "services", "get"): launching_again,
    ("", "events", "list"): knowing,
    ("", "events", "watch"): knowing,
    ("metrics.k8s.io", "pods", "list"): measuring,
    ("", "nodes", "list"): knowing,
    ("", "nodes", "watch"): knowing,
}


# Those of `bunsen clear`, which a Job of the chart runs before the release is removed: where jobs are, and
# where the reconciler is.
CLEARS: set[Right] = {
    ("", "pods", "list"),
    ("", "pods", "patch"),
    ("", "pods", "delete"),
    ("", "configmaps", "list"),
    ("", "configmaps", "delete"),
}
STOPS: set[Right] = {
    ("apps", "deployments", "get"),
    ("apps", "deployments/scale", "patch"),
    ("", "pods", "list"),
}
DEPLOYMENT = {
    "metadata": {"name": "reconciler"},
    "spec": {
        "selector": {"matchLabels": {"part": "reconciler"}},
        "template": {
            "metadata": {"labels": {"part": "reconciler"}},
            "spec": {"nodeSelector": NOWHERE, "containers": [{"name": "main", "image": BUSYBOX}]},
        },
    },
}


def rules_of(kind: str, name: str) -> list[Rule]:
    """What the chart's role of that name gives."""
    (role,) = [i for i in objects(*TRIAL) if i["kind"] == kind and i["metadata"]["name"] == name]
    rules: list[Rule] = role["rules"]
    return rules


def rights_of(rules: Sequence[Rule]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def rules_for(rights: set[Right]) -> list[Rule]:
    """A rule for each right."""
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for group, resource, verb in sorted(rights)
    ]


def words_for(missing: Right) -> str:
    group, resource, verb = missing
    return f'cannot {verb} resource "{resource}" in API group "{group}"'


def test_the_tables_here_are_the_charts() -> None:
    everywhere = rights_of(rules_of("ClusterRole", "bunsen:here.trial"))
    assert {resource for _, resource, _ in everywhere} == {"nodes"}
    assert rights_of(rules_of("Role", "here.trial")) | everywhere == set(FAILS)
    assert rights_of(rules_of("Role", "here.trial-removal")) == CLEARS
    assert rights_of(rules_of("Role", "trial-bunsen-removal")) == STOPS


class Trial:
    """Tries operations of the launcher with rights."""

    def __init__(
        self, cluster: Cluster, options: KubernetesOptions, folder: Path, log: pytest.LogCaptureFixture
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._file = folder / "kubeconfig"
        self._log = log

    async def said(self, operation: Operation, rights: set[Right]) -> str:
        """What fails of the operation, in the words that it has for it."""
        everywhere = {right for right in rights if right[1] == "nodes"}
        here = rules_for(rights - everywhere)
        async with account(self._cluster, self._options.namespace, here, rules_for(everywhere)) as token:
            write_kubeconfig(self._cluster, self._file, token)
            proof.remember(self._cluster, self._options)
            launcher = KubernetesLauncher(self._options)
            self._log.clear()
            try:
                await launcher.start()
                try:
                    await operation(launcher)
                finally:
                    await launcher.close()
            except (ApiRefused, LaunchDelayed, LauncherAway) as error:
                return str(error)
        return self._log.text


@pytest.fixture
def trial(
    cluster: Cluster,
    options: KubernetesOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Trial:
    caplog.set_level(logging.DEBUG, "app.launchers.kubernetes")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr(launcher_module, "_FIRST_LIST", 5.0)
    return Trial(cluster, options, tmp_path, caplog)


@pytest.mark.parametrize("missing", FAILS, ids="-".join)
async def test_without_a_right_an_operation_fails_and_names_it(trial: Trial, missing: Right) -> None:
    assert words_for(missing) in await trial.said(FAILS[missing], set(FAILS) - {missing})


async def test_with_all_rights_nothing_is_forbidden(trial: Trial) -> None:
    assert "forbidden" not in await trial.said(everything, set(FAILS))


async def test_the_removal_needs_each_of_its_rights_and_no_other(
    cluster: Cluster, options: KubernetesOptions, tmp_path: Path
) -> None:
    deployments = f"/apis/apps/v1/namespaces/{options.namespace}/deployments"
    where = ("--namespace", options.namespace, "--deployment", f"{options.namespace}/reconciler")
    variables = {"BUNSEN_INSTALLATION": options.installation, "KUBECONFIG": str(tmp_path / "kubeconfig")}
    proof.remember(cluster, options)
    launcher = KubernetesLauncher(options)
    await launcher.start()
    for missing in (*sorted(CLEARS | STOPS), None):
        await launcher.launch(a_run())
        await cluster.create(deployments, DEPLOYMENT)
        rules = rules_for({right for right in CLEARS | STOPS if right != missing})
        async with account(cluster, options.namespace, rules) as token:
            write_kubeconfig(cluster, tmp_path / "kubeconfig", token)
            words = ("clear", "--grace", "1", *where)
            result = await asyncio.to_thread(CliRunner().invoke, bunsen, words, env=variables)
        stopped = (await cluster.get(f"{deployments}/reconciler"))["spec"]["replicas"] == 0
        await cluster.delete(f"{deployments}/reconciler")
        said = str(result.exception)
        assert words_for(missing) in said if missing else (stopped, said) == (True, "None")
    await launcher.close()
