"""What happens in one namespace of the real cluster, told by a watch of its own beside the service's."""

import json
import re
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from tests.launchers.kubernetes.specs import BUSYBOX

Json = dict[str, Any]

JOB = "bunsen/job"
_OVER = {"Succeeded", "Failed"}


def api_of(kubeconfig: Path) -> httpx.Client:
    """A plain client of the API server, with the certificates that the kubeconfig names."""
    config = YAML(typ="safe").load(kubeconfig)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    return httpx.Client(base_url=cluster["server"], verify=context, timeout=30)


@dataclass(frozen=True)
class Seen:
    """A pod as the cluster told of it, and when that was heard."""

    at: datetime
    pod: Json
    gone: bool = False

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def lives(self) -> bool:
        """Whether something of it may run: it has a node, and no end."""
        placed = bool(self.pod["spec"].get("nodeName"))
        return placed and not self.gone and self.pod["status"].get("phase") not in _OVER and not self.ended

    @property
    def ended(self) -> Json | None:
        for status in self.pod["status"].get("containerStatuses") or ():
            end = status["state"].get("terminated")
            if end is not None:
                return dict(end)
        return None

    @property
    def waits(self) -> str:
        """The reason for which its container waits, and the message."""
        for status in self.pod["status"].get("containerStatuses") or ():
            found = status["state"].get("waiting") or {}
            return f"{found.get('reason', '')}: {found.get('message', '')}"
        return ""

    @property
    def unscheduled(self) -> str:
        for condition in self.pod["status"].get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return str(condition.get("message") or "")
        return ""


class Namespace:
    """A namespace that is this test's own, and the history of every pod in it."""

    def __init__(self, kubeconfig: Path, name: str) -> None:
        self.api = api_of(kubeconfig)
        self._watched = api_of(kubeconfig)  # the watch's own connection
        self.name = name
        self.history: list[Seen] = []
        self.most: dict[str, int] = defaultdict(int)  # how many pods of a job lived at once, at most
        self._living: dict[str, dict[str, bool]] = defaultdict(dict)
        self._news = threading.Condition()
        self._closing = False
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def open(self) -> "Namespace":
        self.api.post("/api/v1/namespaces", json={"metadata": {"name": self.name}}).raise_for_status()
        account = f"/api/v1/namespaces/{self.name}/serviceaccounts/default"
        until(lambda: self.api.get(account).status_code == 200, 20)
        self._watching.start()
        return self

    def close(self) -> None:
        """Delete all that is there, what holds a finalizer too."""
        self._closing = True
        for pod in self.pods():
            name = pod["metadata"]["name"]
            self.patch(f"pods/{name}", {"metadata": {"finalizers": None}})
            self.delete(f"pods/{name}", grace=0)
        self.api.delete(f"/api/v1/namespaces/{self.name}")
        self.api.close()

    def url(self, path: str) -> str:
        return f"/api/v1/namespaces/{self.name}/{path}"

    def create(self, kind: str, body: Json) -> Json:
        answer = self.api.post(self.url(kind), json=body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def patch(self, path: str, body: Json) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        self.api.patch(self.url(path), content=json.dumps(body), headers=headers)

    def delete(self, path: str, grace: int | None = None) -> None:
        body = {} if grace is None else {"gracePeriodSeconds": grace}
        self.api.request("DELETE", self.url(path), json=body)

    def pods(self) -> list[Json]:
        return list(self.api.get(self.url("pods")).raise_for_status().json()["items"])

    def last_line(self, name: str) -> str:
        """The last line of a pod's log, as far as its node serves it."""
        return self.api.get(self.url(f"pods/{name}/log"), params={"tailLines": 1}).raise_for_status().text

    def evict(self, name: str) -> None:
        self.create(
            f"pods/{name}/eviction",
            {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}},
        )

    def first(self, met: Callable[[Seen], bool], seconds: float = 60.0) -> Seen:
        """The first that was heard of a pod which meets the condition, now or soon."""
        deadline, looked = time.monotonic() + seconds, 0
        with self._news:
            while True:
                for seen in self.history[looked:]:
                    if met(seen):
                        return seen
                looked = len(self.history)
                assert time.monotonic() < deadline, "the cluster told of no such pod"
                self._news.wait(1)

    def ended(self, name: str, seconds: float = 60.0) -> Seen:
        """When the end of this pod's command was told."""
        return self.first(lambda seen: seen.name == name and seen.ended is not None, seconds)

    def uids(self, job: str) -> set[str]:
        """Every pod that this job ever had."""
        with self._news:
            return {
                seen.pod["metadata"]["uid"]
                for seen in self.history
                if (seen.pod["metadata"].get("labels") or {}).get(JOB) == job
            }

    def _watch(self) -> None:
        while not self._closing:
            try:
                listed = self._watched.get(self.url("pods")).raise_for_status().json()
                for pod in listed["items"]:
                    self._take(Seen(datetime.now(UTC), pod))
                query = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
                with self._watched.stream("GET", self.url("pods"), params=query, timeout=600) as answer:
                    for line in answer.iter_lines():
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            break
                        self._take(Seen(datetime.now(UTC), event["object"], event["type"] == "DELETED"))
                        if self._closing:
                            return
            except (httpx.HTTPError, RuntimeError):
                time.sleep(0.1)

    def _take(self, seen: Seen) -> None:
        job = (seen.pod["metadata"].get("labels") or {}).get(JOB)
        with self._news:
            self.history.append(seen)
            if job is not None:
                self._living[job][seen.pod["metadata"]["uid"]] = seen.lives
                self.most[job] = max(self.most[job], sum(self._living[job].values()))
            self._news.notify_all()


def until(met: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.05)


def attempt(job: Json, number: int = 1) -> str:
    """The name of a job's pod."""
    return f"{re.sub('-', '', job['uuid'])}-{number}"


def plain_pod(name: str, **marks: Any) -> Json:
    """A pod that sleeps, and is nobody's."""
    container = {"name": "main", "image": BUSYBOX, "command": ["sleep", "600"]}
    return {"metadata": {"name": name, **marks}, "spec": {"containers": [container]}}
