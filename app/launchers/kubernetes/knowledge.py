"""All that is known of the cluster without asking it: our pods, warnings about them, and lost nodes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

from app.domain.runs import JobRef
from app.launchers.kubernetes import names
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.diagnose import Surroundings, deletion_asked, is_over, started_at
from app.launchers.kubernetes.unseen import unseen_end
from app.launchers.kubernetes.verdicts import Since, is_blocked
from app.launchers.kubernetes.watch import Reflector

Json = dict[str, Any]

OLD = 75.0  # seconds after which knowledge is too old to be relied on
_EVENTS_LAST = (40, 60)  # seconds of a watch of events: they have no bookmarks, which show that it lives
_WARNINGS = {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"}


class Knowledge:
    """One list and watch for each kind. `silence` is how long a watch may say nothing, in seconds."""

    def __init__(self, cluster: Cluster, namespace: str, installation: str, *, silence: float) -> None:
        base = f"/api/v1/namespaces/{namespace}"
        self._pods = Reflector(
            cluster,
            f"{base}/pods",
            keep=_slim_pod,
            changed=self._pod_changed,
            selector=names.selector(installation),
            silence=silence,
        )
        self._events = Reflector(
            cluster,
            f"{base}/events",
            keep=_slim_event,
            changed=self._event_changed,
            fields="type=Warning,involvedObject.kind=Pod",
            silence=silence,
            lasts=_EVENTS_LAST,
        )
        self._nodes = Reflector(
            cluster, "/api/v1/nodes", keep=_slim_node, changed=self._node_changed, silence=silence
        )
        self._warnings: dict[str, str] = {}  # by a pod's uid
        self._blocked: dict[str, datetime] = {}  # by a pod's uid
        self._deleted: dict[str, datetime] = {}  # by a pod's uid: when its deletion was asked for
        self._listeners: list[Callable[[str], None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to watch, and wait until all pods are known."""
        for reflector in (self._pods, self._events, self._nodes):
            self._tasks.append(asyncio.create_task(reflector.run()))
        await self._pods.synced()

    async def close(self) -> None:
        """Watch no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether all pods were known once."""
        return self._pods.ready

    @property
    def age(self) -> float:
        """Seconds since the cluster last told of pods."""
        return self._pods.age

    def trouble(self) -> str | None:
        """Why what is known may be wrong by now; None if nothing is wrong."""
        for reflector in (self._pods, self._events, self._nodes):
            if reflector.trouble is not None:
                return reflector.trouble
        return f"the cluster has said nothing for {self.age:.0f} s" if self.age > OLD else None

    def pod(self, name: str) -> Json | None:
        """The pod of that name, None where there is none of ours."""
        return self._pods.objects.get(name)

    def pods(self) -> list[Json]:
        """All our pods."""
        return list(self._pods.objects.values())

    def jobs(self) -> dict[JobRef, Json]:
        """The pods that are jobs."""
        found = ((names.ref_of(pod), pod) for pod in self._pods.objects.values())
        return {ref: pod for ref, pod in found if ref is not None}

    def put(self, pod: Json) -> None:
        """A pod that this process has created."""
        self._pods.put(pod)

    def around(self, pod: Json) -> Surroundings:
        """What else is known about a pod."""
        lost = self._lost(pod)
        uid = pod["metadata"]["uid"]
        warning = None if has_sandbox(pod) else self._warnings.get(uid)
        return Surroundings(lost[1] if lost else None, warning, self._deleted.get(uid))

    def unseen_end(self, name: str, read: datetime) -> datetime | None:
        """Until when lines of that pod's log may have been lost, which was `read` to its end."""
        pod = self.pod(name)
        if pod is None:
            return None
        node = self._nodes.objects.get(pod["spec"].get("nodeName") or "")
        return unseen_end(pod, node["ready"] if node is not None else None, read)

    def since(self, pod: Json) -> Since:
        """Since when the pod is blocked and its node lost."""
        uid = pod["metadata"]["uid"]
        if is_blocked(pod, self.around(pod)):
            self._blocked.setdefault(uid, datetime.now(UTC))
        else:
            self._blocked.pop(uid, None)
        lost = self._lost(pod)
        return Since(self._blocked.get(uid), lost[0] if lost else None)

    def _lost(self, pod: Json) -> tuple[datetime | None, str] | None:
        """Since when its node is lost, where that is known, and in whose words. A node without an object is
        lost too, until the cluster says that its pods are over."""
        name = pod["spec"].get("nodeName") or ""
        node = self._nodes.objects.get(name)
        if node is not None:
            lost: tuple[datetime | None, str] | None = node["lost"]
            return lost
        # One that is new may be heard of later than its first pod, but not later than that this runs.
        known = self._nodes.ready and self._nodes.trouble is None
        return (None, "it was deleted") if name and known and started_at(pod) is not None else None

    async def changes(self) -> AsyncGenerator[str, None]:
        """The names of pods about which there is something new; those that are there already first."""
        news: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.append(news.put_nowait)
        try:
            for name in list(self._pods.objects):
                yield name
            while True:
                yield await news.get()
        finally:
            self._listeners.remove(news.put_nowait)

    def _tell(self, name: str) -> None:
        for listener in self._listeners:
            listener(name)

    def _pod_changed(self, name: str) -> None:
        pod = self._pods.objects.get(name)
        asked = deletion_asked(pod) if pod is not None else None
        if pod is not None and asked is not None and not is_over(pod):
            self._deleted.setdefault(pod["metadata"]["uid"], asked)
        self._tell(name)
        self._forget_gone()

    def _event_changed(self, name: str) -> None:
        event = self._events.objects.get(name)
        if event is not None:
            self._warnings[event["uid"]] = event["text"]
            self._tell(event["pod"])
        self._forget_gone()

    def _forget_gone(self) -> None:
        """What was noted about pods that are gone, now and then."""
        noted = len(self._warnings) + len(self._blocked) + len(self._deleted)
        if noted > 4 * len(self._pods.objects) + 100:
            there = {pod["metadata"]["uid"] for pod in self._pods.objects.values()}
            self._warnings = {uid: text for uid, text in self._warnings.items() if uid in there}
            self._blocked = {uid: at for uid, at in self._blocked.items() if uid in there}
            self._deleted = {uid: at for uid, at in self._deleted.items() if uid in there}

    def _node_changed(self, name: str) -> None:
        for pod in self.pods():
            if pod["spec"].get("nodeName") == name:
                self._tell(pod["metadata"]["name"])


def has_sandbox(pod: Json) -> bool:
    """Whether its network is there, and before it its volumes: what was warned of these is over."""
    for condition in pod["status"].get("conditions") or ():
        if condition["type"] == "PodReadyToStartContainers":
            return bool(condition["status"] == "True")
    return bool(pod["status"].get("podIP"))  # clusters before 1.29


def _slim_pod(pod: Json) -> Json:
    """Without what only the API server reads: pods are many."""
    pod["metadata"].pop("managedFields", None)
    spec = pod["spec"]
    containers = [
        {"name": container["name"], "image": container["image"], "resources": container.get("resources")}
        for container in spec["containers"]
    ]
    pod["spec"] = {"nodeName": spec.get("nodeName"), "containers": containers}
    return pod


def _slim_event(event: Json) -> Json | None:
    """A warning that tells why a pod doesn't start, where its status does not."""
    if event.get("reason") not in _WARNINGS:
        return None
    about = event["involvedObject"]
    return {
        "metadata": {"name": event["metadata"]["name"]},
        "uid": about.get("uid", ""),
        "pod": about.get("name", ""),
        "text": f"{event['reason']}: {event.get('message') or ''}",
    }


def _slim_node(node: Json) -> Json:
    """Whether it is lost: since when, and in whose words; and since when it is ready."""
    lost = ready = None
    for condition in node.get("status", {}).get("conditions") or ():
        if condition["type"] == "Ready":
            since = datetime.fromisoformat(condition["lastTransitionTime"]).astimezone(UTC)
            if condition["status"] == "True":
                ready = since
            elif condition["status"] == "Unknown":  # False is what a kubelet that lives says of itself
                lost = (since, condition.get("message") or condition.get("reason") or "it is not ready")
    return {"metadata": {"name": node["metadata"]["name"]}, "lost": lost, "ready": ready}
