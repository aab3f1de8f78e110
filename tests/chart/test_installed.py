"""The whole service installed in the cluster by helm: its own image, the demo from inside, a TensorBoard from
outside, a next release and back under open streams, and nothing left of it."""

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.chart.installed import Asking, Experiments, Follower, Installed, Json, values_of, volumes
from tests.chart.service_image import NEXT, ROOT, ServiceImages, image_config, service_images
from tests.faults.kubernetes.conftest import HOST, kubeconfig, namespace
from tests.faults.kubernetes.kube import Namespace, Seen, until
from tests.launchers.kubernetes.specs import BUSYBOX

__all__ = ["kubeconfig", "namespace"]

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1200)]

NUMBERS = "exec 2>/dev/null; trap 'exit 0' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"
LARGEST = 450_000_000  # bytes of the image, unpacked, with its base


@pytest.fixture(scope="module")
def images(namespace: Namespace) -> ServiceImages:
    return service_images(namespace)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a page of wheels that the demo's steps install: pods have no way out."""
    folder = tmp_path_factory.mktemp("wheels")
    python = getattr(sys, "_base_executable", sys.executable)
    words = ("-q", "--no-deps", "--only-binary=:all:", "--python-version=3.11", "-d", str(folder))
    platforms = [f"--platform=manylinux{name}_x86_64" for name in ("2014", "_2_27", "_2_28")]
    needed = str(ROOT / "examples" / "digits" / "requirements.txt")
    download = [python, "-m", "pip", "download", *words, *platforms, "-r", needed]
    subprocess.run(download, check=True, capture_output=True, text=True)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def installed(namespace: Namespace, images: ServiceImages, packages: str) -> Iterator[Installed]:
    steps = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": packages, "PIP_TRUSTED_HOST": HOST}
    settings = {"GRACE": 3, "TTL": 3600, "STEP_ENV": steps}
    with volumes(namespace) as folder:
        values = values_of(namespace, images.repository, settings=settings)
        installed = Installed(namespace, folder, values)
        installed.install(images.tag)
        yield installed
        if installed.helm("list", "-q"):
            installed.helm("uninstall", "bunsen", "--no-hooks")


def test_the_image_is_nobodys_root_tells_of_its_health_and_is_not_large(images: ServiceImages) -> None:
    found, size = image_config(images.tag)
    assert found["config"]["User"] == "10001:10001"
    assert "/healthz" in found["config"]["Healthcheck"]["Test"][-1]
    assert size < LARGEST


def test_from_the_first_installation_to_the_removal(installed: Installed, images: ServiceImages) -> None:
    demo_runs_from_inside(installed)
    with installed.client() as client:
        demo = Experiments(client, "demo")
        tensorboard_is_reached_from_outside(installed, demo)
        nobody_notices_a_next_release_and_the_way_back(installed, images, demo)
        an_upgrade_that_fails_is_rolled_back(installed, demo)
        steps = {"build_steps": ["sleep 1000"]}
        building, running = demo.create("true", build=steps), demo.create("sleep 1000")
        assert demo.wait(running, "running") == "running"
        assert demo.wait(building, "building") == "building"
    assert {part_of(pod) for pod in installed.namespace.pods()} >= {"job", "build", "tensorboard"}
    installed.uninstall()
    until(lambda: not installed.left(), 30)
    assert any(installed.folder.joinpath("outputs").iterdir()), "what lies on the volumes is their owner's"


def demo_runs_from_inside(installed: Installed) -> None:
    """Its image is built, with packages from where the settings say."""
    words = ("exec", "deployment/bunsen-api", "--", "bunsen")
    token = installed.kubectl(*words, "token", "create", "root").strip()
    url = f"http://bunsen.{installed.namespace.name}.svc:8000"
    shown = installed.kubectl(*words, "demo", "--url", url, "--token", token)
    places = [shown.find(text) for text in ("Step 1/2: pip install", "epoch 30 of 30", "succeeded")]
    assert -1 not in places, shown
    assert places == sorted(places)


def tensorboard_is_reached_from_outside(installed: Installed, demo: Experiments) -> None:
    """Through the API server's proxy, which keeps `Authorization` to itself: the ticket's cookie opens it."""
    started = demo.client.post(f"{demo.path}/1/tensorboard/start")
    assert started.status_code == 201, started.text
    url = started.json()["url"]
    assert url.startswith(f"{installed.public_url}/tensorboard/root/demo/experiments/1/?ticket=")
    outside = installed.namespace.api
    assert outside.get(url.partition("?")[0]).status_code == 401
    page = outside.get(url, follow_redirects=True)
    assert page.status_code == 200, page.text
    assert "TensorBoard" in page.text
    assert "loss" in outside.get(f"{page.url}data/plugin/scalars/tags").text


def nobody_notices_a_next_release_and_the_way_back(
    installed: Installed, images: ServiceImages, demo: Experiments
) -> None:
    """The next one's migration comes before its pods; this one's run on its schema; logs go on."""
    talks = demo.create(NUMBERS, build={"image": BUSYBOX})
    assert demo.wait(talks, "running") == "running"
    followers = [Follower(demo.client, f"{demo.path}/{talks}") for _ in range(8)]
    asking = Asking(installed.url)
    for thread in (*followers, asking):
        thread.start()
    before = installed.schema()
    assert before != NEXT
    installed.upgrade(images.next_tag)
    assert installed.schema() == NEXT
    assert migrated_first(installed.namespace, images.next_tag)

    installed.rollback(1)
    assert installed.schema() == NEXT
    (tag,) = {tag for pod in installed.namespace.pods() if (tag := tag_of(pod, "api")) and not going(pod)}
    assert tag == images.tag
    assert demo.wait(demo.create("true", build={"image": BUSYBOX})) == "succeeded"
    asking.close()
    assert not asking.refused
    demo.client.post(f"{demo.path}/{talks}/stop").raise_for_status()
    for follower in followers:
        follower.join(60)
        assert follower.end is not None
        assert follower.cuts > 0
        assert [line["seq"] for line in follower.lines] == list(range(follower.end["last_seq"] + 1))
        assert [line["text"] for line in follower.lines] == [str(n) for n in range(len(follower.lines))]


def an_upgrade_that_fails_is_rolled_back(installed: Installed, demo: Experiments) -> None:
    """The installed release serves on. What failed is kept for a look, and goes with the release."""
    until(lambda: not jobs_of(installed), 120)  # the last migration's goes by itself
    installed.fail_to_upgrade("none")
    assert jobs_of(installed) == ["job.batch/bunsen-migrate"]
    assert demo.client.get("/readyz").json()["status"] == "ready"
    installed.rollback(1)


def jobs_of(installed: Installed) -> list[str]:
    return installed.kubectl("get", "jobs", "-o", "name").split()


def part_of(pod: Json) -> str | None:
    return (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component")


def going(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def tag_of(pod: Json, component: str) -> str | None:
    """The tag of the service's image, of a pod that is that part of it."""
    if part_of(pod) != component:
        return None
    return str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2]


def migrated_first(namespace: Namespace, tag: str) -> bool:
    """Whether a release's migration was over before there was a pod of its API."""

    def first(component: str, phase: str | None = None) -> datetime:
        def met(seen: Seen) -> bool:
            its = seen.pod["status"].get("phase")
            return tag_of(seen.pod, component) == tag and phase in (None, its)

        return namespace.first(met).at

    return first("migration", "Succeeded") < first("api")
