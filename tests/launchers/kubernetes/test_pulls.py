"""Images of a registry with a login: nodes pull them with the Secrets that settings name."""

import asyncio
from dataclasses import replace
from pathlib import Path

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, RunSpec
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.options import KubernetesOptions
from tests.launchers.kubernetes.own_registry import login_secret, own_registry, put_busybox
from tests.launchers.kubernetes.seeing import ran
from tests.launchers.kubernetes.specs import REGISTRY_URL, run_of
from tests.launchers.kubernetes.test_builds import launching


async def test_jobs_have_the_logins_of_the_settings_and_of_the_registry_of_built_images(
    cluster: Cluster, options: KubernetesOptions, tmp_path: Path
) -> None:
    async with own_registry(tmp_path) as registry:
        address = f"127.0.0.1:{registry.port}"  # nodes do without TLS for such alone
        path = f"/api/v1/namespaces/{options.namespace}/secrets"
        await cluster.create(path, login_secret("good", registry, address=address))
        await cluster.create(path, login_secret("bad", registry, "wrong", address=address))

        async def with_login(run: RunSpec, **more: object) -> JobObservation:
            more["installation"] = run.uuid  # else one would clear up after another
            digest = await asyncio.to_thread(put_busybox, registry, REGISTRY_URL)
            name = f"{address}/busybox@{digest}"
            here = replace(run, image=name) if run.environment is None else replace(run, environment=name)
            async with launching(cluster, replace(options, **more)) as launcher:  # type: ignore[arg-type]
                return await ran(launcher, here)

        named, built, wrong, none = await asyncio.gather(
            with_login(run_of("true"), pull_secrets=("other", "good")),
            with_login(run_of("true", environment="built"), registry=address, registry_secret="good"),
            with_login(run_of("true"), pull_secrets=("bad",)),
            with_login(run_of("true")),
        )
        assert named.status is Status.SUCCEEDED, named
        assert built.status is Status.SUCCEEDED, built
        for seen in (wrong, none):
            assert seen.status is Status.FAILED
            assert "401 Unauthorized" in str(seen.message), seen.message
