"""TensorBoards as pods: started, proxied to those who may see, behind a secret, started again, stopped."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import Sessions
from app.db.notify import Listener
from app.domain.lifecycle import Status
from app.domain.runs import JobRef, RunKind
from app.launchers.kubernetes import proof
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.kubernetes.options import KubernetesOptions
from app.reconciler.context import Context
from app.reconciler.loop import Loop
from app.services.tensorboard_program import KEY, PROOF, key_of, proof_of
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.storage.log_objects import LocalLogObjects
from tests.launchers.kubernetes.conftest import SHARED
from tests.launchers.kubernetes.images import tensorboard_image
from tests.launchers.kubernetes.seeing import LONGEST, lines_of, ran
from tests.launchers.kubernetes.specs import BUSYBOX, job_of, run_of
from tests.launchers.kubernetes.test_launching import left
from tests.people import Person
from tests.reconciler.test_tensorboards import board, make

pytestmark = pytest.mark.cluster

Running = Callable[..., contextlib.AbstractAsyncContextManager[Context]]


@pytest.fixture
def patience() -> float:
    """How many seconds a start is waited for."""
    return LONGEST


@pytest.fixture
def settings(settings: Settings, patience: float) -> Settings:
    return settings.model_copy(update={"tensorboard_start": patience})


@pytest.fixture
async def running(
    settings: Settings, sessions: Sessions, engine: AsyncEngine, cluster: Cluster, options: KubernetesOptions
) -> AsyncIterator[Running]:
    """Starts the reconciler's whole loop over pods, with an image for TensorBoards."""
    listener = Listener(engine)
    await listener.start()

    @contextlib.asynccontextmanager
    async def start(image: str | None) -> AsyncIterator[Context]:
        proof.remember(cluster, options)
        launcher = KubernetesLauncher(replace(options, tensorboard_image=image))
        await launcher.start()
        outputs = str(options.outputs.path)
        here = settings.model_copy(update={"launcher": "kubernetes", "outputs_volume": f"hostPath:{outputs}"})
        objects, code = LocalLogObjects(settings.data / "logs"), CodeArchives(settings.data / "code")
        ctx = Context(here, sessions, listener, launcher, objects, code, lambda: "python3")
        loop = asyncio.create_task(Loop(ctx).run())
        try:
            yield ctx
        finally:
            loop.cancel()
            await asyncio.gather(loop, *ctx.actions.values(), return_exceptions=True)
            await ctx.servers.close()
            await launcher.close()

    yield start
    await listener.close()


async def test_a_whole_life(
    ada: Person, bob: Person, running: Running, client: httpx.AsyncClient, cluster: Cluster, namespace: str
) -> None:
    """Reached through the API server, in the cluster directly; started again when somebody deleted it."""
    async with running(tensorboard_image(SHARED)) as ctx:
        path = await make(ada, ctx)
        started = await ada.http.post(f"{path}/tensorboard/start", timeout=LONGEST)
        assert started.status_code == 201, started.text
        assert (await ada.http.post(f"{path}/tensorboard/start")).status_code == 200
        first = await board(ctx)
        assert str(first.address).startswith(f"/api/v1/namespaces/{namespace}/services/bunsen-")

        place, _, ticket = started.json()["url"].removeprefix("http://bunsen.test").partition("?")
        assert (await client.get(place)).status_code == 401
        assert (await client.get(f"{place}?{ticket}")).status_code == 303
        await it_is_served(client, place)
        theirs = {"Authorization": f"token {bob.token}"}
        assert (await client.get(place, headers=theirs)).status_code == 404
        for detour in ("%2e%2e/%2e%2e", "..%2f..%2fsecrets", "%252e%252e/x", "a/%2e./b"):
            assert (await client.get(f"{place}{detour}")).status_code == 404, detour

        pod = f"/api/v1/namespaces/{namespace}/pods/{first.uuid}-1"
        assert str(first.secret) not in json.dumps(await cluster.get(pod))
        assert isinstance(ctx.launcher, KubernetesLauncher)
        ctx.launcher._cluster.inside = True  # this machine is a node: it reaches what pods reach
        await cluster.delete(pod, grace=0)
        async with asyncio.timeout(LONGEST):
            while (again := await board(ctx)).attempt == 1 or again.status != "running":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert again.secret != first.secret
        assert str(again.address).endswith(":6006")
        assert len((await left(cluster, namespace))["pods"]) == 1
        await it_is_served(client, place)
        await neighbours_need_the_key(str(again.address), str(again.secret))

        assert (await ada.http.post(f"{path}/tensorboard/stop")).status_code == 200
        assert (await client.get(place)).status_code == 404
        async with asyncio.timeout(LONGEST):
            while (await board(ctx)).status != "stopped" or await left(cluster, namespace):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def it_is_served(client: httpx.AsyncClient, place: str) -> None:
    page = await client.get(place)
    assert page.status_code == 200
    assert "TensorBoard" in page.text
    assert "loss" in (await client.get(f"{place}data/plugin/scalars/tags")).text


async def neighbours_need_the_key(address: str, secret: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}") as neighbour:
        assert (await neighbour.get("/", headers={KEY: "guess"})).status_code == 403
        answer = await neighbour.get("/", headers={KEY: key_of(secret)})
        assert (answer.status_code, answer.headers[PROOF]) == (200, proof_of(secret))


@pytest.mark.parametrize("patience", [0.5])
@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("registry.bunsen.test:5000/none:1", "TensorBoard does not answer yet: ErrImagePull: "),
        (None, "no image for TensorBoards is set (BUNSEN_TENSORBOARD_IMAGE)"),
    ],
)
async def test_why_it_does_not_start_is_said(
    ada: Person, running: Running, image: str | None, words: str
) -> None:
    async with running(image) as ctx:
        path = await make(ada, ctx)
        async with asyncio.timeout(LONGEST):
            while words not in (answer := await ada.http.post(f"{path}/tensorboard/start")).text:
                assert answer.status_code == 503
                await asyncio.sleep(0.1)


async def test_what_it_sees_is_its_experiments_outputs_and_it_changes_nothing(
    launcher: KubernetesLauncher, options: KubernetesOptions
) -> None:
    """Run as another command would be in its place."""
    command = """cat $BUNSEN_TENSORBOARD_LOGDIR/f; ls $(dirname $BUNSEN_TENSORBOARD_LOGDIR)
        touch $BUNSEN_TENSORBOARD_LOGDIR/g || echo read-only
        ls /var/run/secrets/kubernetes.io || echo no account
        grep -c 'NoNewPrivs:.1' /proc/self/status; grep -c 'Seccomp:.2' /proc/self/status
        echo $BUNSEN_TENSORBOARD_SECRET $BUNSEN_TENSORBOARD_HOST $BUNSEN_PORT"""
    first = run_of("echo it > $POLYAXON_RUN_OUTPUTS_PATH/f")
    other = run_of("true")
    for run in (first, other):
        assert (await ran(launcher, run)).status is Status.SUCCEEDED
    uuid = "f" * 32
    mine = KubernetesLauncher(replace(options, tensorboard_image=BUSYBOX))
    await mine.start()
    try:
        logdir = f"{options.outputs.path}/{first.outputs}"
        tensorboard = replace(
            run_of(command, replace(job_of(), ref=JobRef(uuid, 1))),
            kind=RunKind.TENSORBOARD,
            uuid=uuid,
            outputs=first.outputs,
            token="s3cret",
            variables={"BUNSEN_TENSORBOARD_LOGDIR": logdir},
        )
        assert (await ran(mine, tensorboard)).status is Status.SUCCEEDED
        lines = await lines_of(mine, JobRef(uuid, 1))
    finally:
        await mine.close()
    said = [line for line in lines if "touch:" not in line and "ls:" not in line]
    assert said == ["it", str(first.outputs), "read-only", "no account", "1", "1", "s3cret 0.0.0.0 6006"]
