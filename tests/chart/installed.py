"""The chart, installed by helm in a namespace of a test's own, and a client of the service in it."""

import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chart.rendering import CHART
from tests.faults.calls import DONE
from tests.faults.kubernetes.kube import Namespace, until
from tests.launchers.kubernetes.conftest import SHARED, no_cluster
from tests.launchers.kubernetes.specs import BUILDAH, BUSYBOX, PYTHON, REGISTRY

Json = dict[str, Any]

USER = 10001  # the chart's
_IN_EVERY_NAMESPACE = {"configmaps/kube-root-ca.crt", "serviceaccounts/default"}


class Installed:
    """A release named `bunsen`, whose volumes lie in `folder`. Its users reach it through the API server."""

    def __init__(self, namespace: Namespace, folder: Path, values: Json) -> None:
        self.namespace, self.folder = namespace, folder
        api = str(namespace.api.base_url).rstrip("/")
        self.public_url = api + namespace.url("services/bunsen:http/proxy")
        self._values = values | {"publicUrl": self.public_url}

    def helm(self, *words: str, values: Json | None = None) -> str:
        more = () if values is None else ("--values", "-")
        command = ("helm", *words, "--namespace", self.namespace.name, *more)
        return _run(*command, stdin=None if values is None else json.dumps(values))

    def kubectl(self, *words: str) -> str:
        return _run("kubectl", "--namespace", self.namespace.name, *words)

    def install(self, tag: str) -> None:
        self._put("install", tag)

    def upgrade(self, tag: str) -> None:
        self._put("upgrade", tag)

    def _put(self, verb: str, tag: str, timeout: str = "5m") -> None:
        values = self._values | {"image": {**self._values["image"], "tag": tag}}
        self.helm(verb, "bunsen", str(CHART), "--wait", "--timeout", timeout, values=values)

    def fail_to_upgrade(self, tag: str) -> None:
        """With an image that is not there."""
        with pytest.raises(AssertionError, match="pre-upgrade hooks failed"):
            self._put("upgrade", tag, "10s")

    def rollback(self, revision: int) -> None:
        self.helm("rollback", "bunsen", str(revision), "--wait", "--timeout", "5m")

    def uninstall(self) -> None:
        self.helm("uninstall", "bunsen", "--wait", "--timeout", "5m")

    def client(self) -> httpx.Client:
        """Of root. This machine is a node: it reaches what pods reach."""
        words = ("exec", "deployment/bunsen-api", "--", "bunsen", "token", "create", "root")
        token = self.kubectl(*words).strip()
        return httpx.Client(base_url=self.url, headers={"Authorization": f"token {token}"}, timeout=60)

    @property
    def url(self) -> str:
        service = self.namespace.api.get(self.namespace.url("services/bunsen")).raise_for_status().json()
        return f"http://{service['spec']['clusterIP']}:8000"

    def schema(self) -> str:
        """The revision of the trial's database."""
        ask = "psql -h 127.0.0.1 -U bunsen -Atc 'SELECT version_num FROM alembic_version'"
        words = (
            "exec",
            "statefulset/bunsen-postgres",
            "--",
            "sh",
            "-c",
            f"PGPASSWORD=$POSTGRES_PASSWORD {ask}",
        )
        return self.kubectl(*words).strip()

    def left(self) -> list[str]:
        """All that is in the namespace but what every namespace has, and what the cluster has for it."""
        listed = self.kubectl("api-resources", "--verbs=list,create", "--namespaced", "-o", "name").split()
        kinds = ",".join(kind for kind in listed if not kind.startswith("events"))
        here = _named(self.kubectl("get", kinds, "-o", "name"))
        selector = "app.kubernetes.io/name=bunsen,app.kubernetes.io/instance=bunsen"
        everywhere = _run("kubectl", "get", "clusterroles,clusterrolebindings", "-l", selector, "-o", "name")
        mine = [name for name in _named(everywhere) if self.namespace.name in name]
        return sorted(set(here) - _IN_EVERY_NAMESPACE) + mine


def _named(text: str) -> list[str]:
    """`configmap/a` as `configmaps/a`."""
    pairs = (line.split("/", 1) for line in text.split())
    return [f"{kind.split('.')[0]}s/{name}" for kind, name in pairs]


def _run(*words: str, stdin: str | None = None) -> str:
    if shutil.which(words[0]) is None:
        no_cluster(f"no {words[0]} is in PATH")
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def volumes(namespace: Namespace) -> Iterator[Path]:
    """Volumes for the two claims that the chart makes, in a folder of this machine."""
    folder = SHARED / secrets.token_hex(5)
    for name in ("data", "outputs"):
        (folder / name).mkdir(parents=True)
        os.chown(folder / name, USER, USER)
        volume = {
            "metadata": {"name": f"{namespace.name}-{name}"},
            "spec": {
                "capacity": {"storage": "100Gi"},
                "accessModes": ["ReadWriteMany"],
                "claimRef": {"namespace": namespace.name, "name": f"bunsen-{name}"},
                "hostPath": {"path": str(folder / name)},
            },
        }
        namespace.api.post("/api/v1/persistentvolumes", json=volume).raise_for_status()
    try:
        yield folder
    finally:
        for name in ("data", "outputs"):
            namespace.api.delete(f"/api/v1/persistentvolumes/{namespace.name}-{name}")
        shutil.rmtree(folder, ignore_errors=True)


def values_of(namespace: Namespace, repository: str, **more: Any) -> Json:
    """For the cluster of the tests, with a database for a trial."""
    return {
        "image": {"repository": repository},
        "postgres": {"enabled": True, "image": f"{REGISTRY}/postgres:15"},
        "jobs": {"image": PYTHON, "helperImage": BUSYBOX, "builderImage": BUILDAH},
        "registry": {"repository": f"{REGISTRY}/{namespace.name}", "insecure": [REGISTRY]},
        **more,
    }


class Experiments:
    """Experiments of one project, through a client of the service."""

    def __init__(self, client: httpx.Client, project: str) -> None:
        self.client = client
        self.path = f"/api/v1/root/{project}/experiments"
        client.post("/api/v1/projects", json={"name": project})

    def create(self, cmd: str, **spec: Any) -> int:
        config = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}, **spec}
        answer = self.client.post(self.path, json={"config": config})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def status(self, id: int) -> str:
        return str(self.client.get(f"{self.path}/{id}").raise_for_status().json()["last_status"])

    def wait(self, id: int, *statuses: str) -> str:
        until(lambda: self.status(id) in (statuses or DONE), 300)
        return self.status(id)


class Follower(threading.Thread):
    """Reads a log to its end; comes back at the next line whenever it is cut off."""

    def __init__(self, client: httpx.Client, path: str) -> None:
        super().__init__(daemon=True)
        self._url, self._headers, self._path = client.base_url, client.headers, f"{path}/logs/lines"
        self.lines: list[Json] = []
        self.end: Json | None = None
        self.cuts = 0

    def run(self) -> None:
        while self.end is None:
            query = {"follow": "true", "offset": str(len(self.lines))}
            try:
                with (
                    httpx.Client(base_url=self._url, headers=self._headers, timeout=30) as client,
                    client.stream("GET", self._path, params=query) as answer,
                ):
                    answer.raise_for_status()
                    for line in answer.iter_lines():
                        self._take(json.loads(line))
            except httpx.HTTPError:
                self.cuts += 1

    def _take(self, event: Json) -> None:
        if event["event"] == "end":
            self.end = event
        elif event["event"] != "heartbeat":
            self.lines.append(event)


class Asking(threading.Thread):
    """Asks ten times a second whether the service is ready, each time anew; keeps what else it was told."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/readyz"
        self._closing = threading.Event()
        self.asked = 0
        self.refused: list[str] = []

    def run(self) -> None:
        while not self._closing.wait(0.1):
            self.asked += 1
            try:
                answer = httpx.get(self._url, timeout=10)
                if answer.status_code != 200:
                    self.refused.append(answer.text)
            except httpx.HTTPError as error:
                self.refused.append(repr(error))

    def close(self) -> None:
        self._closing.set()
        self.join()
