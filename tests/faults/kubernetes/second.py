"""The second node, which a test loses: it takes nobody's pods but those that tolerate it."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil

from tests.faults.kubernetes.kit import Kit
from tests.faults.kubernetes.kube import Json, Namespace, until
from tests.faults.kubernetes.pods import OnPods

NODE, MARK = "node-2", "bunsen.test/second"
PREFERS = {"weight": 100, "preference": {"matchExpressions": [{"key": MARK, "operator": "Exists"}]}}
THERE = {
    "tolerations": [{"key": MARK, "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [PREFERS]}},
}
STRATEGIC, MERGE = "strategic-merge-patch", "merge-patch"
# Ends well where it ran before.
AGAIN = 'S="$POLYAXON_RUN_OUTPUTS_PATH/second"; [ -e "$S" ] && exit 0; touch "$S"; echo it; sleep 3600'


class Second:
    """The second node. `shortened`: the API hears at once that it is lost; else the node controller says so,
    50 s after it was heard of last."""

    def __init__(self, kit: Kit, namespace: Namespace, *, shortened: bool) -> None:
        self._kit = kit
        self._namespace = namespace
        self._api = namespace.api
        self.shortened = shortened

    def start(self) -> None:
        """Known before its kubelet comes, so that nobody's pods are put there."""
        taint = {"key": MARK, "value": "yes", "effect": "NoSchedule"}
        labels = {MARK: "yes", "kubernetes.io/hostname": NODE}
        node = {"metadata": {"name": NODE, "labels": labels}, "spec": {"taints": [taint]}}
        made = self._api.post("/api/v1/nodes", json=node)
        assert made.status_code in {201, 409}, made.text
        if made.status_code == 409:
            self._patch("", {"spec": {"taints": [taint]}}, MERGE)
        self._kit.up(nodes=2)

    def lose(self) -> None:
        self._kit.kill("kubelet-2", "containerd-2")
        if self.shortened:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            words = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
            lost = {"type": "Ready", "status": "Unknown", "lastTransitionTime": now, **words}
            self._patch("/status", {"status": {"conditions": [lost]}})

    def has_a_gpu(self) -> None:
        """One that is only a number, which the scheduler counts once the kubelet has told of it."""
        self._patch("/status", {"status": {"capacity": {"nvidia.com/gpu": "1"}}})

        def is_told() -> bool:
            status = self._api.get(f"/api/v1/nodes/{NODE}").json()["status"]
            return bool(status.get("allocatable", {}).get("nvidia.com/gpu") == "1")

        until(is_told, 60)

    def power_off(self) -> None:
        """All of it at once: its parts, and all that runs in its containers."""
        self._kit.kill("kubelet-2", "containerd-2")
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or ())
            if "containerd-shim" in command and "containerd-2.sock" in command:
                for each in [*process.children(recursive=True), process]:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()

    def shut_down(self) -> None:
        """An administrator says that it is out of service: nothing of it runs."""
        key = "node.kubernetes.io/out-of-service"
        taint = {"key": key, "value": "nodeshutdown", "effect": "NoExecute"}
        self._patch("", {"spec": {"taints": [taint]}})

    def delete(self) -> None:
        self._api.delete(f"/api/v1/nodes/{NODE}")

    def end(self) -> None:
        self._kit.kill("kubelet-2", "containerd-2")
        self.delete()

    def _patch(self, below: str, body: dict[str, Any], kind: str = STRATEGIC) -> None:
        headers = {"Content-Type": f"application/{kind}+json"}
        answer = self._api.patch(f"/api/v1/nodes/{NODE}{below}", content=json.dumps(body), headers=headers)
        assert answer.status_code == 200, answer.text

    def clear(self) -> None:
        """Bring it back, so that its kubelet takes away what is left on it, and end it."""
        self.start()
        for pod in self._here():
            name = pod["metadata"]["name"]
            self._namespace.patch(f"pods/{name}", {"metadata": {"finalizers": None}})
            self._namespace.delete(f"pods/{name}", grace=1)
        until(lambda: not self._here(), 60)
        self.end()

    def _here(self) -> list[Json]:
        return [pod for pod in self._namespace.pods() if pod["spec"].get("nodeName") == NODE]


def begin(pods: OnPods, second: Second, cmd: str, **more: Any) -> int:
    """An experiment that runs on the second node; `more` is of its environment."""
    second.start()
    id = pods.create(cmd, environment=THERE | more, termination={"max_retries": 0})
    pods.wait(id, {"running"})
    assert pods.job(id)["node_scheduled"] == NODE
    return id
